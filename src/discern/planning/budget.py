"""How long a run may take, from the moment it was asked for."""

import time
from dataclasses import dataclass, field


@dataclass
class Budget:
    """A span of time, and how much of it is kept for what comes after training.

    `started` is a moment of `time.monotonic()`; a run that goes on after an interruption sets it back by what it had
    spent before. By phase, `most_epochs` are those worth having where there is more time than was planned with, and
    `lengths` those for which there is time, the last of them perhaps in part.
    """

    seconds: float
    started: float = field(default_factory=time.monotonic)
    reserve_seconds: float = 0.0
    most_epochs: dict[str, int] = field(default_factory=dict)
    lengths: dict[str, float] = field(default_factory=dict)

    def spent_seconds(self) -> float:
        """Return what is spent so far."""
        return time.monotonic() - self.started

    def left_for_training(self) -> float:
        """Return the seconds until training must end; negative when it should have ended."""
        return self.seconds - self.reserve_seconds - self.spent_seconds()
