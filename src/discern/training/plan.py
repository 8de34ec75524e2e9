"""The training plan: one stage after the other, each with what learns and how its rate moves."""

from collections.abc import Sequence
from typing import NamedTuple

from discern.config.settings import StageSettings
from discern.errors import ConfigError
from discern.models.classifier import HEAD, Classifier
from discern.models.heads import LinearHead
from discern.training.schedules import compute_rate_factor


class RatePoint(NamedTuple):
    """The learning rate of the head (or of the topmost part that learns) at a moment of the plan."""

    stage: str
    epoch: float
    learning_rate: float


def simulate_schedule(stages: Sequence[StageSettings], steps_per_epoch: int) -> list[RatePoint]:
    """Return the learning rate at every step of a plan, without training; plateau drops cannot be foreseen."""
    points = []
    epochs_before = 0
    for stage in stages:
        for step in range(stage.num_epochs * steps_per_epoch):
            epoch = step / steps_per_epoch
            rate = stage.top_rate * compute_stage_factor(stage, epoch, length=stage.num_epochs)
            points.append(RatePoint(stage.name, epochs_before + epoch, rate))
        epochs_before += stage.num_epochs
    return points


def compute_stage_factor(stage: StageSettings, epoch: float, *, length: float) -> float:
    """Return the factor on the stage's learning rate at `epoch` of the stage, which ends after `length` epochs."""
    return compute_rate_factor(
        stage.schedule,
        epoch,
        epochs=length,
        warmup_epochs=stage.warmup_epochs,
        step_epochs=stage.step_epochs,
        gamma=stage.gamma,
    )


def check_plan(stages: Sequence[StageSettings], classifier: Classifier) -> None:
    """Raise for a plan that the network cannot follow.

    Raises:
        ConfigError: All unknown parts, with those that exist; or a stage trains nothing, or an exact solution is asked
            for what has none.
    """
    unknown = [
        f"stage {stage.name} trains {part!r}"
        for stage in stages
        if stage.train != "all"
        for part in stage.train
        if part not in classifier.stage_names
    ]
    if unknown:
        parts = ", ".join(classifier.stage_names)
        raise ConfigError(f"{'; '.join(unknown)}; the parts of this network are {parts} (or all)")
    for stage in stages:
        if not stage.train:
            raise ConfigError(f"stage {stage.name} trains nothing; name parts of the network in its train, or all")
        if stage.head_solver == "lbfgs" and (stage.train != (HEAD,) or not isinstance(classifier.head, LinearHead)):
            raise ConfigError(
                f"stage {stage.name} has head_solver=lbfgs, which solves for a linear head alone; "
                'it needs train=["head"] and model.head=linear'
            )
