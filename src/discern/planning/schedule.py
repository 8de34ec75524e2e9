"""The learning rates of a plan, computed without training, so that they can be printed and drawn."""

from collections.abc import Sequence
from typing import NamedTuple

from discern.engine.schedules import compute_rate_factor
from discern.planning.plan import PhasePlan


class RatePoint(NamedTuple):
    """The learning rate of the head (or of the topmost trainable part) at one step of the training."""

    phase: str
    epoch: float
    learning_rate: float


def simulate_schedule(phases: Sequence[PhasePlan], steps_per_epoch: int) -> list[RatePoint]:
    """Return the learning rate at every step of a plan, without drops of a plateau, which depend on the training."""
    points = []
    epochs_before = 0
    for phase in phases:
        for step in range(phase.epochs * steps_per_epoch):
            epoch = step / steps_per_epoch
            rate = phase.learning_rate * compute_rate_factor(epoch, phase.epochs, phase)
            points.append(RatePoint(phase.name, epochs_before + epoch, rate))
        epochs_before += phase.epochs
    return points
