"""Where the time of a run goes: the seconds of each of its parts, as a table at the end of the log."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from discern.percent import percent

logger = logging.getLogger("discern")

LOADING = "loading the program"
"""What passed before the program itself began to measure."""

ELSEWHERE = "elsewhere"
"""What belongs to no part, so that the seconds of all parts add up to those that passed."""


class Seconds:
    """The seconds of parts; at any moment one part is measured, the innermost, so that none is counted twice."""

    def __init__(self, started: float) -> None:
        self._by_part: dict[str, float] = {}
        self._open = [ELSEWHERE]
        self._counted_until = started
        self._count(LOADING)

    @contextmanager
    def measuring(self, part: str) -> Iterator[None]:
        """Count the seconds of a block for a part, and no longer for the part around it."""
        self._count(self._open[-1])
        self._open.append(part)
        try:
            yield
        finally:
            self._count(self._open.pop())

    def by_part(self) -> dict[str, float]:
        """Return the seconds until now, of the parts in the order in which they were first measured."""
        self._count(self._open[-1])
        counted = dict(self._by_part)
        elsewhere = counted.pop(ELSEWHERE, 0.0)
        return counted | {ELSEWHERE: elsewhere}

    def _count(self, part: str) -> None:
        now = time.monotonic()
        self._by_part[part] = self._by_part.get(part, 0.0) + now - self._counted_until
        self._counted_until = now


_current: ContextVar[Seconds | None] = ContextVar("seconds", default=None)


@contextmanager
def logging_seconds(started: float) -> Iterator[None]:
    """Measure the parts of a block, and log them as a table if it ends without an error.

    Args:
        started: Value of `time.monotonic()` at which the work began, perhaps before the program was loaded.
    """
    seconds = Seconds(started)
    token = _current.set(seconds)
    try:
        yield
    finally:
        _current.reset(token)
    for line in describe_seconds(seconds.by_part()):
        logger.debug("%s", line)


@contextmanager
def measuring(part: str) -> Iterator[None]:
    """Count the seconds of a block for a part of the run around it; outside a run, do nothing."""
    seconds = _current.get()
    if seconds is None:
        yield
        return
    with seconds.measuring(part):
        yield


def describe_seconds(by_part: dict[str, float]) -> list[str]:
    """Return a table for people: each part with its seconds and its share of the whole."""
    whole = sum(by_part.values())
    width = max(map(len, by_part))
    rows = [f"  {part:<{width}} {seconds:9.1f} s {percent(seconds / whole):>7}" for part, seconds in by_part.items()]
    return [f"where the time went, of {whole:.1f} s:", *rows]
