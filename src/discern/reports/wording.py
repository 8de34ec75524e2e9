"""Numbers, counts and names as text for people."""

import math
from collections.abc import Sequence

from discern.counts import noun_of
from discern.percent import percent as in_percent

THIN_SPACE = "\u202f"
"""A narrow space at which no line breaks."""

DASH = "\u2013"


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction in percent, a dash where there is none; no rounding makes it 0 or 100 %."""
    if fraction is None or not math.isfinite(fraction):
        return DASH
    return in_percent(fraction, digits).replace(" ", THIN_SPACE)


def percent_range(low: float, high: float, digits: int = 1) -> str:
    """Return the ends of an interval of fractions."""
    return f"{percent(low, digits)} to {percent(high, digits)}"


def decimal(value: float | None, digits: int = 3) -> str:
    """Return a number, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:.{digits}f}"


def grouped(count: int) -> str:
    """Return a count with a narrow space between its thousands."""
    return f"{count:,}".replace(",", THIN_SPACE)


def count_of(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun."""
    return f"{grouped(count)} {noun_of(count, one, many)}"


def join_words(words: Sequence[str]) -> str:
    """Return a list in words: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def capitalize_first(text: str) -> str:
    """Return a text with a capital first letter; the others stay as they are."""
    return text[:1].upper() + text[1:]
