"""The training plan: one phase after the other, each with what learns and how its rate moves."""

from collections.abc import Sequence
from typing import NamedTuple

from discern.config.settings import PhaseSettings
from discern.engine.schedules import compute_rate_factor
from discern.errors import ConfigError
from discern.models.classifier import HEAD, Classifier
from discern.models.heads import LinearHead


class RatePoint(NamedTuple):
    """The learning rate of the head (or of the topmost part that learns) at a moment of the plan."""

    phase: str
    epoch: float
    learning_rate: float


def simulate_schedule(phases: Sequence[PhaseSettings], steps_per_epoch: int) -> list[RatePoint]:
    """Return the learning rate at every step of a plan, without training; plateau drops cannot be foreseen."""
    points = []
    epochs_before = 0
    for phase in phases:
        for step in range(phase.num_epochs * steps_per_epoch):
            epoch = step / steps_per_epoch
            rate = phase.top_rate * compute_phase_factor(phase, epoch, length=phase.num_epochs)
            points.append(RatePoint(phase.name, epochs_before + epoch, rate))
        epochs_before += phase.num_epochs
    return points


def compute_phase_factor(phase: PhaseSettings, epoch: float, *, length: float) -> float:
    """Return the factor on the phase's learning rate at `epoch` of the phase, which ends after `length` epochs."""
    return compute_rate_factor(
        phase.schedule,
        epoch,
        epochs=length,
        warmup_epochs=phase.warmup_epochs,
        step_epochs=phase.step_epochs,
        gamma=phase.gamma,
    )


def check_plan(phases: Sequence[PhaseSettings], classifier: Classifier) -> None:
    """Raise for a plan that the network cannot follow.

    Raises:
        ConfigError: All unknown parts, with those that exist; or a phase trains nothing, or an exact solution is asked
            for what has none.
    """
    unknown = [
        f"phase {phase.name} trains {part!r}"
        for phase in phases
        if phase.train != "all"
        for part in phase.train
        if part not in classifier.stage_names
    ]
    if unknown:
        parts = ", ".join(classifier.stage_names)
        raise ConfigError(f"{'; '.join(unknown)}; the parts of this network are {parts} (or all)")
    for phase in phases:
        if not phase.train:
            raise ConfigError(f"phase {phase.name} trains nothing; name parts of the network in its train, or all")
        if phase.head_solver == "lbfgs" and (phase.train != (HEAD,) or not isinstance(classifier.head, LinearHead)):
            raise ConfigError(
                f"phase {phase.name} has head_solver=lbfgs, which solves for a linear head alone; "
                'it needs train=["head"] and model.head=linear'
            )
