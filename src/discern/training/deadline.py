"""When training must end, and how long a phase may go on by what has been seen of it."""

import time
from dataclasses import dataclass, field

from discern.planning.budget import round_length

_SPARE = 1.1


@dataclass
class Deadline:
    """The time for a whole run, of which `reserve_seconds` are kept for what comes after training.

    `started` is a moment of `time.monotonic()`; a run that goes on after an interruption sets it back by what it had
    spent before.
    """

    seconds: float
    reserve_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def spent_seconds(self) -> float:
        """Return what is spent so far."""
        return time.monotonic() - self.started

    def left_seconds(self) -> float:
        """Return the seconds until training must end; negative when it should have ended."""
        return self.seconds - self.reserve_seconds - self.spent_seconds()


def correct_length(planned: float, done: int, max_epochs: int, affordable: float, *, may_end_early: bool) -> float:
    """Return the epochs of a phase in all, of which some are done, where there is time for `affordable` more."""
    possible = done + max(0.0, affordable)
    if possible > planned:
        # A picture may take less than it seemed to. But an epoch too many would be cut off while the rate is high, and
        # in the second half the rate would have to rise again by much.
        longer = min(float(max_epochs), done + affordable / _SPARE)
        possible = longer if longer > planned and 2 * done <= longer else planned
    return round_length(possible, may_end_early=may_end_early)
