"""The metrics of predictions, split by split."""

from collections.abc import Mapping

from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.evaluation.predictions import Predictions


def score_splits(predictions: Predictions, custom: Mapping[str, MetricFunction] | None = None) -> dict[str, Metrics]:
    """Return the metrics of each split, with those of the user's own functions by name."""
    parts = {split: predictions.select(split) for split in predictions.splits}
    return {
        split: compute_metrics(one.targets, one.probabilities, one.class_names, custom=custom)
        for split, one in parts.items()
    }
