"""Compares the kept model with the head on frozen features, on the validation pictures: did fine-tuning help?"""

import numpy as np
import numpy.typing as npt

from discern.counts import count_of
from discern.evaluation.seed_comparison import describe_difference
from discern.percent import percent
from discern.planning.plan import TrainingPlan
from discern.training.fit import FitResult
from discern.training.floor import Floor


def describe_outcome(result: FitResult, targets: npt.NDArray[np.int64], training: TrainingPlan) -> str | None:
    """Return text that says which model is kept and by how much it is better; None if there is nothing to compare.

    Args:
        result: Result of the training.
        targets: Class indices (V,) of the validation pictures.
        training: What the model was chosen by, and whether training could end after the baseline.
    """
    if not result.rows:
        return "the classifier as its weights had it: nothing was trained"
    floor = result.floor
    if floor is None or result.validation_logits is None or len(targets) < 2:
        return None
    if result.best.epoch == floor.row.epoch:
        return _describe_floor(result, floor, targets, training)
    difference = floor.compare(result.validation_logits, targets)
    return (
        f"epoch {result.best.epoch}, {percent(result.best.validation_accuracy)} correct on validation, the score "
        f"that it was chosen by; {describe_difference(result.best.phase, floor.row.phase, difference)}"
    )


def _describe_floor(result: FitResult, floor: Floor, targets: npt.NDArray[np.int64], training: TrainingPlan) -> str:
    later = [row for row in result.rows if row.phase != floor.row.phase]
    comparison = "no later epoch was trained"
    if training.must_gain and not floor.leaves_gain(targets):
        comparison += ", since too few pictures are wrong to show that one is better"
    if later and training.monitor == "validation_loss":
        lowest = min(row.validation_loss for row in later)
        others = count_of(len(later), "later epoch")
        comparison = f"its loss is {floor.row.validation_loss:.4f}, and the lowest of {others} {lowest:.4f}"
    elif later:
        highest = max(row.validation_accuracy for row in later)
        comparison = f"the best of {count_of(len(later), 'later epoch')} had {percent(highest)}"
    return (
        f"the frozen network with the head of phase {floor.row.phase}, {percent(floor.row.validation_accuracy)} "
        f"correct on validation: {comparison}"
    )
