"""What a client may know of a model; never where files are on the server."""

from typing import Any

from discern.data.reading.decode import DECODE_RULES
from discern.errors import DiscernError
from discern.evaluation.coverage import REPORTED_ERRORS
from discern.explanation.methods import EXPLANATIONS
from discern.predictor.bundle import Bundle
from discern.predictor.record import TrainingRecord
from discern.serving.limits import Limits
from discern.serving.served_model import ServedModel


def describe_model(model: ServedModel, limits: Limits) -> dict[str, Any]:
    """Return names, scores, preprocessing, calibration, thresholds and origin, for JSON."""
    bundle, runtime = model.predictor.bundle, model.predictor.runtime
    record = bundle.record
    return {
        "name": model.name,
        "class_names": list(bundle.class_names),
        "architecture": _describe_network(bundle),
        "preprocess": bundle.preprocess.to_dict(),
        "decode": {**DECODE_RULES, "max_pixels": min(bundle.max_pixels, limits.max_pixels)},
        "tta": bundle.tta,
        "calibration": bundle.calibration.model_dump(),
        "scores": {} if record is None else {name: one.model_dump(mode="json") for name, one in record.scores.items()},
        "counts": {} if record is None else record.counts,
        "thresholds": _list_thresholds(model),
        "feature_bank_pictures": 0 if model.feature_bank is None else len(model.feature_bank.frame),
        "explanations": list(EXPLANATIONS),
        "weights": {} if record is None else _describe_weights(record),
        "discern_version": None if record is None else record.environment.packages.get("discern"),
        "device": str(runtime.device),
        "precision": runtime.precision,
        "limits": {
            "pictures": limits.max_pictures,
            "bytes": limits.max_bytes,
            "picture_bytes": limits.max_picture_bytes,
            "explained": limits.max_explained,
        },
    }


def _describe_network(bundle: Bundle) -> dict[str, str]:
    """Return the names of backbone and head; a network that a user brought has no named head."""
    names = {"backbone": bundle.classifier.backbone.name}
    return names if bundle.architecture is None else {**names, "head": bundle.architecture.head}


def _list_thresholds(model: ServedModel) -> list[dict[str, Any]]:
    """Return the confidence that usual shares of wrong answers need, and the evidence for it."""
    thresholds = []
    for wanted in REPORTED_ERRORS:
        try:
            point = model.build_policy(wanted).point
        except DiscernError as error:
            thresholds.append({"max_error": wanted, "threshold": None, "reason": str(error)})
            continue
        if point is not None:
            thresholds.append({"max_error": wanted, **point._asdict(), "promise": point.describe()})
    return thresholds


def _describe_weights(record: TrainingRecord) -> dict[str, str]:
    """Return where the pretrained weights came from, without paths of this machine."""
    recorded = {} if record.environment.weights is None else record.environment.weights.model_dump()
    return {
        name: value
        for name, value in recorded.items()
        if isinstance(value, str) and value and not value.startswith("/")
    }
