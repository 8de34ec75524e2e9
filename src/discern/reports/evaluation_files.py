"""Writes an evaluation: metrics.json and predictions.csv of all splits, tables and figures of the reported one."""

import logging
from collections.abc import Mapping
from pathlib import Path

from discern.data.reading.decode import MAX_PIXELS
from discern.data.table import ImageTable
from discern.evaluation.coverage import compute_coverage
from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.metrics import Metrics, compute_metrics, save_metrics
from discern.evaluation.predictions import Predictions, save_predictions
from discern.evaluation.tables import compute_class_ranking, compute_confusion, compute_per_class
from discern.files import write_atomically, write_table
from discern.plots.saving import replace_figure
from discern.reports.evaluation_figures import EVALUATION_FIGURES, plot_worst_mistakes
from discern.seconds import measuring

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
    reported = predictions.splits[-1]
    _write_tables(by_split[reported], folder)
    if plots:
        plots_folder.mkdir(parents=True, exist_ok=True)
        with measuring("plots"):
            _write_figures(by_split[reported], metrics[reported], pictures, plots_folder, max_pixels)
    if len(metrics) > 1:
        logger.debug("tables and plots are those of the %s split", reported)
    return metrics


def write_ranking(predictions: Predictions, folder: Path) -> None:
    """Write ranking.csv of the last split: ROC AUC and average precision of each class against all others."""
    reported = predictions.select(predictions.splits[-1])
    ranking = compute_class_ranking(reported.targets, reported.probabilities, reported.class_names)
    write_table(ranking, folder / "ranking.csv")
    means = ranking[["roc_auc", "average_precision"]].mean()
    logger.info("each class against all others, on average: ROC AUC %.3f, average precision %.3f", *means)


def _write_tables(reported: Predictions, folder: Path) -> None:
    targets, names = reported.targets, reported.class_names
    write_table(compute_per_class(targets, reported.probabilities, names), folder / "per_class.csv")
    confusion = compute_confusion(targets, reported.predictions, names)
    write_atomically(folder / "confusion.csv", confusion.to_csv(index_label="true \\ predicted"))
    write_table(compute_coverage(reported.confidences, reported.is_correct), folder / "coverage.csv")


def _write_figures(
    reported: Predictions, metrics: Metrics, pictures: ImageTable, folder: Path, max_pixels: int
) -> None:
    for name, draw in EVALUATION_FIGURES.items():
        replace_figure(draw(reported, metrics), folder / f"{name}.png")
    replace_figure(plot_worst_mistakes(reported, pictures, max_pixels), folder / "mistakes.png")
