"""The figures of an evaluation, from the predictions of one split."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure

from discern.data.reading.thumbnails import load_thumbnails
from discern.data.table import ImageTable
from discern.evaluation.calibration import compute_reliability
from discern.evaluation.coverage import compute_coverage
from discern.evaluation.metrics import Metrics
from discern.evaluation.predictions import Predictions
from discern.evaluation.ranking import compute_ranking_curves
from discern.evaluation.tables import compute_confusion
from discern.plots.confusion import plot_confusion
from discern.plots.coverage import plot_coverage
from discern.plots.gallery import GALLERY_SIZE, plot_mistakes
from discern.plots.reliability import plot_reliability
from discern.plots.roc import plot_roc


def _plot_confusion(reported: Predictions, metrics: Metrics) -> Figure:  # noqa: ARG001 - as figures are called
    confusion = compute_confusion(reported.targets, reported.predictions, reported.class_names).to_numpy()
    return plot_confusion(confusion, reported.class_names, normalized=False)


def _plot_confusion_normalized(reported: Predictions, metrics: Metrics) -> Figure:  # noqa: ARG001
    confusion = compute_confusion(reported.targets, reported.predictions, reported.class_names).to_numpy()
    return plot_confusion(confusion, reported.class_names, normalized=True)


def _plot_coverage(reported: Predictions, metrics: Metrics) -> Figure:  # noqa: ARG001
    return plot_coverage(compute_coverage(reported.confidences, reported.is_correct))


def _plot_reliability(reported: Predictions, metrics: Metrics) -> Figure | None:
    if metrics.ece is None:
        return None
    bins = compute_reliability(reported.targets, reported.probabilities)
    return plot_reliability(bins, calibration_error=metrics.ece.value)


def _plot_roc(reported: Predictions, metrics: Metrics) -> Figure | None:
    """Draw the curves of the second of two classes; there are none for more, or where one has no pictures."""
    if metrics.roc_auc is None or metrics.average_precision is None:
        return None
    targets = reported.targets
    curves = compute_ranking_curves(targets, reported.probabilities[:, 1])
    return plot_roc(
        *curves,
        class_name=reported.class_names[1],
        prevalence=float(targets.mean()),
        roc_auc=metrics.roc_auc.value,
        average_precision=metrics.average_precision.value,
    )


EVALUATION_FIGURES: dict[str, Callable[[Predictions, Metrics], Figure | None]] = {
    "confusion": _plot_confusion,
    "confusion_normalized": _plot_confusion_normalized,
    "reliability": _plot_reliability,
    "coverage": _plot_coverage,
    "roc": _plot_roc,
}
"""By name; None where there is nothing to draw."""


def plot_worst_mistakes(reported: Predictions, pictures: ImageTable, max_pixels: int) -> Figure | None:
    """Draw the misclassified pictures, the most confident first; None if there are some, but none can be read."""
    mistakes = reported.find_mistakes()
    thumbnails = load_thumbnails(
        pictures, mistakes, max_count=GALLERY_SIZE, shown_in="mistakes.png", max_pixels=max_pixels
    )
    if len(mistakes) and not thumbnails:
        return None
    shown = reported.take(np.array(list(thumbnails), dtype=np.int64)).frame
    return plot_mistakes(
        list(thumbnails.values()),
        list(shown["id"]),
        list(shown["true"]),
        list(shown["predicted"]),
        list(shown["confidence"]),
        total=len(mistakes),
    )
