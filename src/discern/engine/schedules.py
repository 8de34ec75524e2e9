"""How the learning rate moves within a phase: pure functions of the progress, so that they can be drawn beforehand."""

import math
from dataclasses import dataclass, field
from typing import Literal

ScheduleName = Literal["constant", "step", "cosine", "one-cycle", "plateau"]

# Smith & Topin, "Super-Convergence" (2017), with the cosine form and the values that torch's OneCycleLR has by default.
ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1 / (25 * 1e4)


def compute_rate_factor(
    schedule: ScheduleName,
    epoch: float,
    *,
    epochs: float,
    warmup_epochs: float = 0.0,
    step_epochs: int = 5,
    gamma: float = 0.1,
) -> float:
    """Return the factor on the base rate at `epoch` (0 <= epoch < epochs, fractions are steps within an epoch).

    The plateau schedule answers 1 here apart from its warm-up: its drops depend on the validation loss (`Plateau`).
    """
    if schedule == "one-cycle":
        return _compute_one_cycle(epoch / epochs)
    if epoch < warmup_epochs:
        # Starts above zero, so that the first step already moves.
        return max(epoch / warmup_epochs, 0.01)
    if schedule == "step":
        return float(gamma ** int(epoch / step_epochs))
    if schedule == "cosine":
        progress = (epoch - warmup_epochs) / max(epochs - warmup_epochs, 1e-9)
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return 1.0


def _compute_one_cycle(progress: float) -> float:
    if progress < ONE_CYCLE_RISE:
        return _anneal(ONE_CYCLE_START, 1.0, progress / ONE_CYCLE_RISE)
    return _anneal(1.0, ONE_CYCLE_END, min((progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE), 1.0))


def _anneal(start: float, end: float, progress: float) -> float:
    """Go from start to end along half a cosine."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass
class Plateau:
    """Lowers the rate by `gamma` when the validation loss has not improved for more than `patience` epochs."""

    patience: int
    gamma: float
    factor: float = 1.0
    best_loss: float = math.inf
    waited: int = field(default=0)

    def observe(self, loss: float) -> bool:
        """Take in the loss of an epoch; return whether the rate was lowered."""
        # The relative threshold is that of torch's ReduceLROnPlateau.
        if loss < self.best_loss * (1 - 1e-4):
            self.best_loss, self.waited = loss, 0
            return False
        self.waited += 1
        if self.waited <= self.patience:
            return False
        self.factor *= self.gamma
        self.waited = 0
        return True
