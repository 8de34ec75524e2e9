"""Durations as people write and read them."""

import math
import re

from discern.errors import ConfigError

_SECONDS = {"s": 1, "m": 60, "h": 3600}
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
    """Return a range of durations in one unit: `20 to 40 s`, `3 to 5 min` or `1.5 to 2.5 h`."""
    unit, divisor, step = next(
        scale
        for scale in (("h", 3600, 0.5), ("min", 60, 1), ("s", 1, 5))
        if high_seconds >= 2 * scale[1] or scale[1] == 1
    )
    low = max(step, math.floor(low_seconds / divisor / step) * step)
    high = max(low, math.ceil(high_seconds / divisor / step) * step)
    return f"{low:g} {unit}" if low == high else f"{low:g} to {high:g} {unit}"
