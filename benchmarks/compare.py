"""Runs two ways of doing the same job in turn and compares the medians of their times."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

REPEATS = 3


@dataclass(frozen=True)
class Comparison:
    """Seconds of every repeat of ours and of the other way, in the order in which they ran."""

    ours_seconds: tuple[float, ...]
    other_seconds: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times as long the other way takes."""
        return median(self.other_seconds) / median(self.ours_seconds)

    def describe(self, name: str) -> str:
        """Return a line with the ratio, the medians and their spread."""
        ours, other = (
            f"{median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})"
            for seconds in (self.ours_seconds, self.other_seconds)
        )
        return f"{name}: {self.ratio:.2f} times as fast; ours {ours}, plain {other}, {REPEATS} repeats each, in turn"


def compare(ours: Callable[[], object], other: Callable[[], object]) -> Comparison:
    """Time both, `REPEATS` times, one after the other."""
    ours_seconds, other_seconds = [], []
    for _ in range(REPEATS):
        other_seconds.append(_time(other))
        ours_seconds.append(_time(ours))
    return Comparison(tuple(ours_seconds), tuple(other_seconds))


def _time(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started
