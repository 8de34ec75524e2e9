"""Builds the bundle of a training: the best network with its calibration, evidence and feature bank."""

import logging

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.data.table import ImageTable
from discern.engine.forward import collect_features, prepare_images
from discern.engine.head_solver import STRENGTHS
from discern.errors import option
from discern.evaluation.coverage import REPORTED_ERRORS, choose_operating_point
from discern.models.classifier import Classifier
from discern.percent import percent
from discern.planning.plan import Plan
from discern.predictor.bundle import Bundle
from discern.predictor.calibration import Calibration, compute_probabilities
from discern.predictor.evidence import Evidence, gather_evidence
from discern.predictor.feature_bank import FeatureBank, build_feature_bank
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.calibrating import calibrate
from discern.training.fit import FitResult
from discern.training.tta import ViewedValidation

logger = logging.getLogger("discern")


def build_bundle(
    classifier: Classifier,
    plan: Plan,
    data: TrainingData,
    result: FitResult,
    viewed: ViewedValidation,
    runtime: Runtime,
) -> Bundle:
    """Return the trained classifier with everything that is needed to use it, except the record of its training.

    Calibration and evidence are of the `viewed` logits, as answers are. All processes of a job must call this, and all
    get the same bundle.
    """
    bank, validation_features = _keep_features(classifier, data, result, runtime)
    calibration, evidence = Calibration(), None
    targets = data.validation.targets()
    if viewed.logits is None:
        logger.info("there is no validation split: confidences are not calibrated, and no error rate can be guaranteed")
    else:
        calibration = calibrate(viewed.logits, targets, plan.training.calibration)
        probabilities = compute_probabilities(viewed.logits, calibration)
        similarities = None
        if bank is not None and validation_features is not None:
            similarities = bank.measure_similarity(validation_features)
        evidence = gather_evidence(probabilities, targets, similarities, _count_choices(plan, result))
        _log_coverage(evidence)
    return Bundle(
        classifier=classifier,
        architecture=plan.architecture,
        class_names=data.train.class_names,
        preprocess=plan.preprocess,
        max_pixels=plan.reading.max_pixels,
        tta=viewed.tta,
        calibration=calibration,
        evidence=evidence,
        feature_bank=bank,
    )


def _count_choices(plan: Plan, result: FitResult) -> int:
    """Return among how many classifiers the validation pictures chose.

    They are the epochs, and strengths where a head is solved, each with every candidate for test-time augmentation.
    """
    solved = {phase.name for phase in plan.phases if phase.head_solver == "lbfgs"}
    trained = max(1, sum(len(STRENGTHS) if row.phase in solved else 1 for row in result.rows))
    return trained * len(plan.training.tta_candidates)


def _keep_features(
    classifier: Classifier, data: TrainingData, result: FitResult, runtime: Runtime
) -> tuple[FeatureBank | None, npt.NDArray[np.float32] | None]:
    """Return the feature bank and the validation features (V, F), computed only if training has not done so."""
    if len(data.bank_rows) == 0:
        return None, None
    kept, pooled = data.train.take(data.bank_rows), result.pooled
    if pooled is None or pooled.train is None:
        train_features = _compute_features(classifier, kept, data, runtime)
    else:
        train_features = pooled.train.numpy()
    if pooled is None:
        validation_features = _compute_features(classifier, data.validation, data, runtime, decodes_whole=True)
    else:
        validation_features = pooled.validation.numpy()
    logger.debug("the bundle keeps the features of %d of %d training pictures", len(kept), len(data.train))
    return build_feature_bank(train_features, kept.frame), validation_features


def _compute_features(
    classifier: Classifier, table: ImageTable, data: TrainingData, runtime: Runtime, *, decodes_whole: bool = False
) -> npt.NDArray[np.float32]:
    batches = data.build_evaluation_loader(table, decodes_whole=decodes_whole).batches()
    features: Tensor = collect_features(classifier, batches, prepare_images(data.preprocess, runtime), runtime)
    return features.numpy() if len(features) else np.empty((0, classifier.backbone.num_last_features), np.float32)


def _log_coverage(evidence: Evidence) -> None:
    """Log what share of pictures would be answered at usual error rates."""
    points = {
        error: choose_operating_point(evidence.confidences, evidence.is_right, error, choices=evidence.num_choices)
        for error in REPORTED_ERRORS
    }
    shares = [
        f"at most {percent(error, 0)} wrong answers leave {percent(point.coverage, 0)} of the pictures answered"
        for error, point in points.items()
        if point
    ]
    if shares:
        logger.info(
            "with %s, predict answers unknown where it is unsure; with 95 %% confidence, %s",
            option("max_error"),
            "; ".join(shares),
        )
