"""Compares the kept model with the head on frozen features, on the validation pictures: did fine-tuning help?"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from discern.counts import count_of
from discern.evaluation.seed_comparison import describe_difference
from discern.percent import percent
from discern.planning.plan import PhasePlan, TrainingPlan
from discern.training.fit import FitResult
from discern.training.floor import Floor
from discern.training.history import EpochRow


def describe_outcome(
    result: FitResult, targets: npt.NDArray[np.int64], training: TrainingPlan, phases: Sequence[PhasePlan]
) -> str | None:
    """Return text that says which model is kept and by how much it is better; None if there is nothing to compare.

    Args:
        result: Result of the training.
        targets: Class indices (V,) of the validation pictures.
        training: What the model was chosen by, and whether training could end after the baseline.
        phases: The plan of each phase.
    """
    if not result.rows:
        return "the classifier as its weights had it: nothing was trained"
    floor = result.floor
    if floor is None or result.validation_logits is None or len(targets) < 2:
        return None
    if result.best.epoch == floor.row.epoch:
        return _describe_floor(result, floor, targets, training, phases)
    is_last = _keeps_last(phases, result.best.phase)
    difference = floor.compare(result.validation_logits, targets)
    return (
        f"epoch {result.best.epoch}{', the last' if is_last else ''}, {percent(result.best.validation_accuracy)} "
        f"correct on validation{'' if is_last else ', the score that it was chosen by'}; "
        f"{describe_difference(result.best.phase, floor.row.phase, difference)}"
    )


def _describe_floor(
    result: FitResult,
    floor: Floor,
    targets: npt.NDArray[np.int64],
    training: TrainingPlan,
    phases: Sequence[PhasePlan],
) -> str:
    later = [row for row in result.rows if row.phase != floor.row.phase]
    if later:
        comparison = _describe_later(later, floor, training, phases)
    else:
        comparison = "no later epoch was trained"
        if training.must_gain and not floor.leaves_gain(targets):
            comparison += ", since too few pictures are wrong to show that one is better"
    return (
        f"the frozen network with the head of phase {floor.row.phase}, {percent(floor.row.validation_accuracy)} "
        f"correct on validation: {comparison}"
    )


def _describe_later(
    later: Sequence[EpochRow], floor: Floor, training: TrainingPlan, phases: Sequence[PhasePlan]
) -> str:
    """Return what the epochs after the baseline reached that could have been kept instead."""
    others = count_of(len(later), "later epoch")
    if _keeps_last(phases, later[-1].phase):
        last = later[-1]
        scores = f"{percent(last.validation_accuracy)}, and a loss of {last.validation_loss:.4f}"
        return f"the last of {others} had {scores} instead of {floor.row.validation_loss:.4f}"
    if training.monitor == "validation_loss":
        lowest = min(row.validation_loss for row in later)
        return f"its loss is {floor.row.validation_loss:.4f}, and the lowest of {others} {lowest:.4f}"
    highest = max(row.validation_accuracy for row in later)
    return f"the best of {others} had {percent(highest)}"


def _keeps_last(phases: Sequence[PhasePlan], name: str) -> bool:
    return any(phase.name == name and phase.keep == "last" for phase in phases)
