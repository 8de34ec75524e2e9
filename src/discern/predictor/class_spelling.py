"""How the answers for a user's file write the classes: as it does itself."""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from discern.data.class_finder import parse_number

_CASES: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower, str.title, str.capitalize)
_SEPARATOR = re.compile(r"[\s_-]+")


def spell_classes(class_names: Sequence[str], seen: dict[int, str], examples: Sequence[str]) -> list[str]:
    """Return how a file writes each class: as `seen` there by index, and the others in the manner of its `examples`."""
    padding = {text[: len(text) - len(text.lstrip())] for text in examples}
    start = padding.pop() if len(padding) == 1 else ""
    change = _find_change([(class_names[index], text.strip()) for index, text in seen.items()])
    numbers = [parse_number(name) for name in class_names]
    spelled = [
        change(name) if number is None else spell_number(number, examples)
        for name, number in zip(class_names, numbers, strict=True)
    ]
    if len(set(spelled)) < len(spelled):
        spelled = list(class_names)  # classes that only their spelling tells apart
    return [seen.get(index, start + text) for index, text in enumerate(spelled)]


def spell_number(number: Decimal, examples: Iterable[str]) -> str:
    """Write a number with as many places, and with leading zeros to the same width, as the examples have."""
    parts = [text.strip().lstrip("+-").partition(".") for text in examples if parse_number(text) is not None]
    places = max((len(fraction) for _, _, fraction in parts), default=0)
    width = max((len(whole) for whole, _, _ in parts if len(whole) > 1 and whole.startswith("0")), default=0)
    if number != number.to_integral_value():
        places = max(places, -int(number.normalize().as_tuple().exponent))
    return f"{number:.{places}f}".zfill(width + places + (places > 0))


def _find_change(pairs: Sequence[tuple[str, str]]) -> Callable[[str], str]:
    """Return the change of case and separator that turns each name into its spelling; none where no one does."""
    for separator in (None, "_", "-", " "):
        for change_case in _CASES:

            def change(
                name: str, separator: str | None = separator, change_case: Callable[[str], str] = change_case
            ) -> str:
                return change_case(name if separator is None else _SEPARATOR.sub(separator, name))

            if all(change(name) == text for name, text in pairs):
                return change
    return str
