"""Learning-rate schedules: pure functions of the epoch, so that they can be drawn without training."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from discern.config.sections.phase import PhaseBase
from discern.registry import Registry

# Smith & Topin, "Super-Convergence" (2017), with the cosine form and the values that torch's OneCycleLR has by default.
ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1 / (25 * 1e4)


Schedule = Callable[[float, float, PhaseBase], float]
"""Maps the epoch (0 <= epoch < length, fractions are steps within an epoch), the length of the phase in epochs and its
options to the factor on the learning rate."""

SCHEDULES: Registry[Schedule] = Registry("schedule")
register_schedule = SCHEDULES.register


def compute_rate_factor(epoch: float, length: float, options: PhaseBase) -> float:
    """Return the factor on the learning rate at `epoch` of a phase that ends after `length` epochs.

    The plateau schedule is 1 here after its warm-up, since its drops depend on the validation loss (see `Plateau`).

    Raises:
        ConfigError: There is no such schedule.
    """
    return SCHEDULES.find(options.schedule)(epoch, length, options)


@register_schedule("constant")
@register_schedule("plateau")
def _constant(epoch: float, length: float, options: PhaseBase) -> float:  # noqa: ARG001 - the signature of a schedule
    return _warm_up(epoch, options)


@register_schedule("step")
def _step(epoch: float, length: float, options: PhaseBase) -> float:  # noqa: ARG001
    if epoch < options.warmup_epochs:
        return _warm_up(epoch, options)
    return float(options.gamma ** int(epoch / options.step_epochs))


@register_schedule("cosine")
def _cosine(epoch: float, length: float, options: PhaseBase) -> float:
    if epoch < options.warmup_epochs:
        return _warm_up(epoch, options)
    progress = (epoch - options.warmup_epochs) / max(length - options.warmup_epochs, 1e-9)
    return _anneal(1.0, 0.0, min(progress, 1.0))


@register_schedule("one-cycle")
def _one_cycle(epoch: float, length: float, options: PhaseBase) -> float:  # noqa: ARG001
    progress = epoch / length
    if progress < ONE_CYCLE_RISE:
        return _anneal(ONE_CYCLE_START, 1.0, progress / ONE_CYCLE_RISE)
    return _anneal(1.0, ONE_CYCLE_END, min((progress - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE), 1.0))


def _warm_up(epoch: float, options: PhaseBase) -> float:
    # Above zero, so that the first step already changes the weights.
    return max(epoch / options.warmup_epochs, 0.01) if epoch < options.warmup_epochs else 1.0


def _anneal(start: float, end: float, progress: float) -> float:
    """Return the value between start and end along half a cosine, at a progress from 0 to 1."""
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
        """Record the loss of an epoch; return whether the rate was lowered."""
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
