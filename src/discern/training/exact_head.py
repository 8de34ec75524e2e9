"""Carries out a phase that solves exactly for the head instead of training it."""

import logging

from torch import Tensor

from discern.engine.head_solver import solve_head
from discern.errors import TrainingError
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.planning.plan import PhasePlan, TrainingPlan
from discern.training.batches import TrainingData
from discern.training.inputs import PhaseInputs

logger = logging.getLogger("discern")


def solve_phase(
    phase: PhasePlan, inputs: PhaseInputs, classifier: Classifier, training: TrainingPlan, data: TrainingData
) -> Tensor:
    """Solve for the classifier's head; return the features (V, N, F) of the training pictures.

    Raises:
        TrainingError: There is no room for the features of all pictures, or the head is not linear.
    """
    head, features = classifier.head, inputs.train_features
    if features is None or not isinstance(head, LinearHead):
        raise TrainingError(
            f"phase {phase.name} has head_solver=lbfgs, which needs the features of all pictures at once, "
            "and there is no room for them; head_solver=gradient does not need them"
        )
    ignored = [name for name in ("label_smoothing", "mixup", "cutmix") if getattr(training, name)]
    if ignored:
        logger.debug("head_solver=lbfgs ignores %s", ", ".join(ignored))
    validation = None
    if inputs.validation_features is not None:
        validation = inputs.validation_features, data.validation.targets()
    solve_head(head, (features, data.train.targets()), validation, balanced=training.balance != "none")
    return features
