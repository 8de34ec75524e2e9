"""Fits the calibration to the validation pictures, as far as they show that one helps."""

import logging

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from torch import Tensor

from discern.evaluation.calibration import compute_ece, compute_gaps
from discern.evaluation.held_out import Logits, Rescale, calibrate_held_out, is_better
from discern.evaluation.temperature import fit_temperature
from discern.evaluation.vector_scaling import MIN_PICTURES_PER_CLASS, VectorScaling, fit_vector_scaling
from discern.predictor.calibration import Calibration

logger = logging.getLogger("discern")

_Targets = npt.NDArray[np.int64]


def calibrate(logits: Tensor, targets: _Targets, method: str, *, split: str = "validation") -> Calibration:
    """Fit the calibration to logits (V, K) of the pictures of a split; `method` is as in `TrainingBase.calibration`.

    A temperature, and then a scale and a bias per class, are taken only if they lower the Brier score in
    cross-validation by more than chance explains, and do not raise the calibration error there; otherwise the
    confidences stay as they are. The calibration errors that are kept and logged are those of the held-out pictures.
    """
    count, num_classes = logits.shape
    if method == "none" or count < 2:
        return Calibration(split=split)
    plain = kept = logits.double().numpy()
    temperature, scaling = 1.0, None
    held_out = calibrate_held_out(rescale_by_temperature, plain, targets)
    if _helps(held_out, kept, targets):
        temperature, kept = fit_temperature(plain, targets), held_out
    if method == "cross-validated" and count >= MIN_PICTURES_PER_CLASS * num_classes:
        held_out = calibrate_held_out(_fit_vectors, plain, targets)
        if _helps(held_out, kept, targets):
            temperature = fit_temperature(plain, targets)
            scaling, kept = fit_vector_scaling(plain / temperature, targets), held_out
    before, after = (_measure_error(values, targets) for values in (plain, kept))
    fitted = _build_calibration(temperature, scaling, count, before, after).model_copy(update={"split": split})
    logger.info("%s", fitted.describe())
    return fitted


def _build_calibration(
    temperature: float, scaling: VectorScaling | None, count: int, before: float, after: float
) -> Calibration:
    return Calibration(
        temperature=temperature,
        scales=None if scaling is None else tuple(scaling.scales),
        biases=None if scaling is None else tuple(scaling.biases),
        count=count,
        ece_before=before,
        ece_after=after,
    )


def rescale_by_temperature(logits: Logits, targets: _Targets) -> Rescale:
    """Return what divides logits (N, K) by the temperature that fits logits (V, K) of targets (V,) best."""
    temperature = fit_temperature(logits, targets)
    return lambda others: np.asarray(others / temperature)


def _fit_vectors(logits: Logits, targets: _Targets) -> Rescale:
    temperature = fit_temperature(logits, targets)
    scaling = fit_vector_scaling(logits / temperature, targets)
    return lambda others: scaling.apply(others / temperature)


def _helps(held_out: Logits, kept: Logits, targets: _Targets) -> bool:
    return is_better(held_out, kept, targets) and _measure_error(held_out, targets) <= _measure_error(kept, targets)


def _measure_error(logits: Logits, targets: _Targets) -> float:
    return float(compute_ece(compute_gaps(targets, softmax(logits, axis=1)).mean(axis=0)))
