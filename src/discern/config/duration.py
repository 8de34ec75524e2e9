"""Durations as people write and read them."""

import math
import re

from discern.errors import ConfigError

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_UNITS = (("h", 3600), ("min", 60), ("s", 1))
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")


def parse_duration(text: str) -> float:
    """Return the seconds of `30s`, `10m`, `2h` or `1h30m`.

    Raises:
        ConfigError: The text is not a duration, or the duration is zero.
    """
    parts = _DURATION.findall(text)
    seconds = sum(float(count) * _SECONDS[unit] for count, unit in parts)
    if _DURATION.sub("", text).strip() or seconds <= 0:
        raise ConfigError(f"{text!r} is not a duration; write 30s, 10m, 2h or 1h30m")
    return seconds


def describe_range(low_seconds: float, high_seconds: float) -> str:
    """Return a range of durations in one unit: `20 to 40 s`, `1.5 to 3 min` or `2 to 4 h`."""
    unit, divisor = next(scale for scale in _UNITS if high_seconds >= 2 * scale[1] or scale[0] == "s")
    step = 5.0 if unit == "s" else 0.5 if high_seconds < 10 * divisor else 1.0
    low = max(step, math.floor(low_seconds / divisor / step) * step)
    high = max(low, math.ceil(high_seconds / divisor / step) * step)
    return f"{low:g} {unit}" if low == high else f"{low:g} to {high:g} {unit}"
