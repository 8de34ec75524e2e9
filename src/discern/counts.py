"""Counts with their nouns, as every message writes them."""


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return "1 epoch" or "12 epochs"; `many` is the plural where that is not `one` with an s."""
    return f"{count} {noun_of(count, one, many)}"


def noun_of(count: float, one: str, many: str | None = None) -> str:
    """Return the noun of a count alone, for a count that is written otherwise."""
    return one if count == 1 else many or f"{one}s"


def is_are(count: int) -> str:
    """Return the verb that goes with a count."""
    return "is" if count == 1 else "are"
