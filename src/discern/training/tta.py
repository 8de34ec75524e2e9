"""Computes the validation logits over the views of test-time augmentation, and chooses the views where that is open."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.config.sections.training import Tta
from discern.engine.forward import predict_logits, prepare_images
from discern.evaluation.held_out import Logits, calibrate_held_out, is_better
from discern.models.classifier import Classifier
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.calibrating import rescale_by_temperature
from discern.training.exact_validation import look_again

logger = logging.getLogger("discern")


class ViewedValidation(NamedTuple):
    """The views that answers are means over, and the validation logits (V, K) over the same views, if there are any."""

    tta: Tta
    logits: Tensor | None


def choose_tta(
    plain: Tensor | None, classifier: Classifier, candidates: Sequence[Tta], data: TrainingData, runtime: Runtime
) -> ViewedValidation:
    """Return the first of the candidates, or a later one that the validation pictures show to be better.

    Better are logits whose Brier score is lower by a one-sided paired t-test with 95 % confidence, since more views
    take longer, and may turn right answers into wrong ones. Both sides are first rescaled by a temperature that is
    fitted without the picture: averaging also makes answers less sure, which calibration does at no cost.

    Args:
        plain: Validation logits (V, K) of the pictures themselves; None without a validation split.
        classifier: The finished one.
        candidates: From the cheapest to the dearest.
        data: The pictures.
        runtime: Device, precision and processes.
    """
    if plain is None:
        if len(candidates) > 1:
            logger.info("training.tta=auto: %s, since there is no validation split to choose on", candidates[0])
        return ViewedValidation(candidates[0], None)
    targets = data.validation.targets()
    kept, logits = candidates[0], _compute_logits(plain, classifier, candidates[0], data, runtime)
    for tta in candidates[1:] if len(targets) > 1 else ():
        others = _compute_logits(plain, classifier, tta, data, runtime)
        if is_better(_rescale(others, targets), _rescale(logits, targets), targets):
            kept, logits = tta, others
    if len(candidates) > 1:
        tried = " and ".join(candidates[1:])
        finding = f"{tried} are not shown to be better" if kept == candidates[0] else "shown to be better"
        logger.info("training.tta=auto: %s; %s by %d validation pictures", kept, finding, len(targets))
    return ViewedValidation(kept, logits)


def _compute_logits(plain: Tensor, classifier: Classifier, tta: Tta, data: TrainingData, runtime: Runtime) -> Tensor:
    if tta == "none":
        return plain
    batches = data.build_evaluation_loader(data.validation, decodes_whole=True).batches()
    logits, _ = predict_logits(classifier, batches, prepare_images(data.preprocess, runtime), runtime, tta)
    return look_again(logits, classifier, data, runtime, tta)


def _rescale(logits: Tensor, targets: npt.NDArray[np.int64]) -> Logits:
    return calibrate_held_out(rescale_by_temperature, logits.double().numpy(), targets)
