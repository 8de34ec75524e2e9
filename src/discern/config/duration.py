"""Durations as people write them."""

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
