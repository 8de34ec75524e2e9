"""Says when training must end, and corrects the length of a phase by the time that its epochs took."""

import time
from dataclasses import dataclass, field

from discern.planning.budget import round_length

_SPARE = 1.1


@dataclass
class Deadline:
    """The time limit of a whole run, of which `reserve_seconds` are reserved for what follows training.

    `started` is a value of `time.monotonic()`; a resumed run moves it back by the time that it had spent before.
    """

    seconds: float
    reserve_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def spent_seconds(self) -> float:
        """Return the seconds spent so far."""
        return time.monotonic() - self.started

    def left_seconds(self) -> float:
        """Return the seconds until training must end; negative when it should have ended."""
        return self.seconds - self.reserve_seconds - self.spent_seconds()


def correct_length(planned: float, done: int, max_epochs: int, affordable: float, *, may_end_early: bool) -> float:
    """Return the total epochs of a phase, of which `done` are complete, if there is time for `affordable` more."""
    possible = done + max(0.0, affordable)
    if possible > planned:
        # Epochs were faster than expected. But an epoch too many would be cut off while the rate is high, and after the
        # first half of the phase the rate would have to rise again.
        longer = min(float(max_epochs), done + affordable / _SPARE)
        possible = longer if longer > planned and 2 * done <= longer else planned
    return round_length(possible, may_end_early=may_end_early)
