"""Writes an evaluation: metrics.json and predictions.csv of all splits, tables and figures of the reported one."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from discern.data.reading.decode import MAX_PIXELS
from discern.data.reading.thumbnails import load_thumbnails
from discern.data.table import ImageTable
from discern.evaluation.calibration import compute_reliability
from discern.evaluation.coverage import compute_coverage
from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.metrics import Metrics, compute_metrics, save_metrics
from discern.evaluation.predictions import Predictions, save_predictions
from discern.evaluation.ranking import compute_ranking_curves
from discern.evaluation.tables import compute_class_ranking, compute_confusion, compute_per_class
from discern.files import write_atomically, write_table
from discern.plots.confusion import plot_confusion
from discern.plots.coverage import plot_coverage
from discern.plots.gallery import GALLERY_SIZE, plot_mistakes
from discern.plots.reliability import plot_reliability
from discern.plots.roc import plot_roc
from discern.plots.saving import replace_figure

logger = logging.getLogger("discern")


def write_evaluation(
    predictions: Predictions,
    pictures: ImageTable,
    folder: Path,
    plots_folder: Path,
    *,
    plots: bool = True,
    custom: Mapping[str, MetricFunction] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, Metrics]:
    """Write metrics.json, predictions.csv, per_class.csv, confusion.csv, coverage.csv and the figures.

    Metrics and predictions are those of all splits; tables and figures those of the last one, which is reported.

    Args:
        predictions: Of all splits; without any row, only an empty metrics.json is written.
        pictures: Those of the last split, in the order of its rows, to draw mistakes from.
        folder: Where JSON and CSV files go.
        plots_folder: Where figures go.
        plots: Whether figures are drawn.
        custom: Metric functions of the user, by name.
        max_pixels: A picture with more is not drawn.

    Returns:
        The metrics by split.
    """
    metrics = write_scores(
        predictions, pictures, folder, plots_folder, plots=plots, custom=custom, max_pixels=max_pixels
    )
    if metrics:
        save_predictions(predictions, folder / "predictions.csv")
    return metrics


def write_scores(
    predictions: Predictions,
    pictures: ImageTable,
    folder: Path,
    plots_folder: Path,
    *,
    plots: bool = True,
    custom: Mapping[str, MetricFunction] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, Metrics]:
    """Write all that `write_evaluation` does but the predictions themselves."""
    folder.mkdir(parents=True, exist_ok=True)
    by_split = {split: predictions.select(split) for split in predictions.splits}
    metrics = {
        split: compute_metrics(one.targets, one.probabilities, one.class_names, custom=custom)
        for split, one in by_split.items()
    }
    save_metrics(metrics, folder / "metrics.json")
    if not metrics:
        return metrics
    for split, values in metrics.items():
        logger.info("%s: %s", split, values.describe())
    split = predictions.splits[-1]
    reported = by_split[split]
    confusion = compute_confusion(reported.targets, reported.predictions, reported.class_names)
    coverage = compute_coverage(reported.confidences, reported.is_correct)
    per_class = compute_per_class(reported.targets, reported.probabilities, reported.class_names)
    write_table(per_class, folder / "per_class.csv")
    write_atomically(folder / "confusion.csv", confusion.to_csv(index_label="true \\ predicted"))
    write_table(coverage, folder / "coverage.csv")
    if plots:
        plots_folder.mkdir(parents=True, exist_ok=True)
        figures = {
            "confusion": plot_confusion(confusion.to_numpy(), reported.class_names, normalized=False),
            "confusion_normalized": plot_confusion(confusion.to_numpy(), reported.class_names, normalized=True),
            "reliability": _plot_reliability(reported, metrics[split]),
            "coverage": plot_coverage(coverage),
            "roc": _plot_roc(reported, metrics[split]),
            "mistakes": _plot_worst_mistakes(reported, pictures, max_pixels),
        }
        for name, figure in figures.items():
            replace_figure(figure, plots_folder / f"{name}.png")
    if len(metrics) > 1:
        logger.info("tables and plots are those of the %s split", split)
    return metrics


def write_ranking(predictions: Predictions, folder: Path) -> None:
    """Write ranking.csv of the last split: ROC AUC and average precision of each class against all others."""
    reported = predictions.select(predictions.splits[-1])
    ranking = compute_class_ranking(reported.targets, reported.probabilities, reported.class_names)
    write_table(ranking, folder / "ranking.csv")
    means = ranking[["roc_auc", "average_precision"]].mean()
    logger.info("each class against all others, on average: ROC AUC %.3f, average precision %.3f", *means)


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


def _plot_worst_mistakes(reported: Predictions, pictures: ImageTable, max_pixels: int) -> Figure | None:
    """Draw the misclassified pictures, the most confident first; None if there are some, but none can be read."""
    mistakes = reported.find_mistakes()
    thumbnails = load_thumbnails(pictures, mistakes, most=GALLERY_SIZE, shown_in="mistakes.png", max_pixels=max_pixels)
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
