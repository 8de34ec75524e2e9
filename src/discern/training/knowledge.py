"""What a trained classifier knows of itself: how far to trust its confidences, and which pictures it has seen."""

import logging
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.config.settings import TrainingSettings
from discern.evaluation.calibration import compute_ece, compute_gaps
from discern.evaluation.coverage import REPORTED_ERRORS, choose_operating_point
from discern.evaluation.temperature import fit_temperature
from discern.evaluation.vector_scaling import choose_vector_scaling
from discern.predictor.bundle import Bundle, Calibration
from discern.predictor.evidence import Evidence, gather_evidence
from discern.predictor.feature_bank import FeatureBank, build_feature_bank
from discern.predictor.predictor import Predictor, compute_probabilities
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.fit import FitResult

logger = logging.getLogger("discern")


def add_knowledge(
    bundle: Bundle, settings: TrainingSettings, data: TrainingData, result: FitResult, runtime: Runtime
) -> Bundle:
    """Return the bundle with its calibration, its bank of training pictures and its evidence from validation.

    With several processes all of them must call this, and all get the same.
    """
    bank, validation_features = _remember(bundle, data, result, runtime)
    logits, targets = result.validation_logits, data.validation.targets()
    if logits is None:
        logger.info("there is no validation split: confidences stay as they are, and nothing is promised of answers")
        return replace(bundle, feature_bank=bank)
    calibration = calibrate(logits, targets, settings.calibration)
    probabilities = compute_probabilities(logits, calibration)
    similarities = None
    if bank is not None and validation_features is not None:
        similarities = bank.measure_similarity(validation_features)
    evidence = gather_evidence(probabilities, targets, similarities)
    _tell_promises(evidence)
    return replace(bundle, calibration=calibration, feature_bank=bank, evidence=evidence)


def calibrate(logits: Tensor, targets: npt.NDArray[np.int64], method: str) -> Calibration:
    """Fit what makes confidences mean what they say to logits (V, K) of validation pictures: "auto", or a method."""
    if method == "none":
        return Calibration()
    temperature = fit_temperature(logits.numpy(), targets)
    fitted = Calibration(temperature=temperature)
    scaling = choose_vector_scaling(fitted.apply(logits.double()).numpy(), targets) if method == "auto" else None
    if scaling is not None:
        fitted = Calibration(temperature=temperature, scales=tuple(scaling.scales), biases=tuple(scaling.biases))
    before, after = (
        float(compute_ece(compute_gaps(targets, compute_probabilities(logits, calibration)).mean(axis=0)))
        for calibration in (Calibration(), fitted)
    )
    logger.info(
        "confidences are calibrated with temperature %.2f%s: calibration error on validation %.1f%%, before %.1f%%",
        temperature,
        "" if scaling is None else ", and a scale and a bias for each class",
        100 * after,
        100 * before,
    )
    return fitted.model_copy(update={"count": len(targets), "ece_before": before, "ece_after": after})


def _remember(
    bundle: Bundle, data: TrainingData, result: FitResult, runtime: Runtime
) -> tuple[FeatureBank | None, npt.NDArray[np.float32] | None]:
    """Return the bank and the validation features (V, F), computed anew only where training has not done so."""
    if len(data.remembered_rows) == 0:
        return None, None
    remembered = data.train.take(data.remembered_rows)
    if result.pooled is not None:
        train_features, validation_features = (features.numpy() for features in result.pooled)
    else:
        predictor = Predictor(bundle, runtime)
        train_features, validation_features = (
            predictor.predict_features(table)[1] for table in (remembered, data.validation)
        )
    logger.info("the bundle remembers %d of %d training pictures", len(remembered), len(data.train))
    return build_feature_bank(train_features, remembered.frame), validation_features


def _tell_promises(evidence: Evidence) -> None:
    """Say how many pictures would be answered for usual shares of wrong answers."""
    points = {
        error: choose_operating_point(evidence.confidences, evidence.is_right, error) for error in REPORTED_ERRORS
    }
    promises = [f"{error:.0%} wrong: {point.coverage:.0%} answered" for error, point in points.items() if point]
    if promises:
        logger.info("with --max-error, predict says unknown rather than err; on validation, %s", "; ".join(promises))
