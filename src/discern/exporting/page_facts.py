"""What a page knows of the classifier inside: names, preprocessing, thresholds, and the facts of its model card."""

from collections.abc import Iterator, Mapping
from typing import Any

from discern.errors import ConfigError
from discern.evaluation.coverage import REPORTED_ERRORS, OperatingPoint
from discern.exporting.web_runtime import NAME
from discern.predictor.bundle import Bundle
from discern.predictor.record import TrainingRecord
from discern.version import __version__


def build_facts(bundle: Bundle, name: str, precision: str) -> dict[str, Any]:
    """Return the facts of a public bundle, for JSON; `name` is what the page calls the classifier."""
    preprocess, record = bundle.preprocess, bundle.record
    return {
        "name": name,
        "class_names": list(bundle.class_names),
        "preprocess": {
            "image_size": preprocess.image_size,
            "fit": preprocess.fit,
            # As when fitting for training; Python rounds halves to even, and JavaScript does not.
            "fill": [round(value * 255) for value in preprocess.mean],
        },
        "max_pixels": bundle.max_pixels,
        "thresholds": [_describe_threshold(bundle, wanted) for wanted in REPORTED_ERRORS],
        "network": bundle.architecture.describe() if bundle.architecture else bundle.classifier.backbone.name,
        "features": bundle.architecture.features if bundle.architecture else "last",
        "counts": {} if record is None else record.counts,
        "scores": [] if record is None else list(_list_scores(record)),
        "weights": None if record is None else _describe_weights(record),
        "precision": precision,
        "runtime": NAME,
        "discern_version": __version__,
    }


def _describe_threshold(bundle: Bundle, max_error: float) -> Mapping[str, float | None]:
    """Return the confidence that an answer takes for a share of wrong ones; nothing where no share can be promised."""
    nothing: dict[str, float | None] = dict.fromkeys(OperatingPoint._fields)
    if bundle.evidence is None:
        return {"max_error": max_error, **nothing}
    try:
        return {"max_error": max_error, **bundle.evidence.choose_operating_point(max_error)._asdict()}
    except ConfigError:
        return {"max_error": max_error, **nothing}


def _list_scores(record: TrainingRecord) -> Iterator[dict[str, Any]]:
    for split, metrics in record.scores.items():
        yield {"split": split, "count": metrics.count, "accuracy": metrics.accuracy.to_dict()}


def _describe_weights(record: TrainingRecord) -> str | None:
    weights = record.environment.weights
    return None if weights is None else ", ".join(filter(None, (weights.source, weights.note)))
