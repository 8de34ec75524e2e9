"""Writes an evaluation: metrics.json and predictions.csv of all splits, tables and figures of the reported one."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from discern.data.reading.decode import MAX_PIXELS
from discern.data.table import ImageTable
from discern.evaluation.coverage import compute_coverage
from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.metrics import Metrics, save_metrics
from discern.evaluation.predictions import Predictions, save_predictions
from discern.evaluation.split_scores import score_splits
from discern.evaluation.tables import compute_class_ranking, compute_confusion, compute_per_class
from discern.files import format_table, write_atomically, write_table
from discern.plots.saving import replace_figure
from discern.reports.evaluation_figures import EVALUATION_FIGURES, plot_worst_mistakes
from discern.seconds import measuring

logger = logging.getLogger("discern")

RANKING = "ranking.csv"


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
    metrics = score_splits(predictions, custom)
    save_metrics(metrics, folder / "metrics.json")
    if not metrics:
        return metrics
    for split, values in metrics.items():
        logger.info("%s: %s", split, values.describe())
    reported = predictions.select(predictions.splits[-1])
    for name, table in build_tables(reported).items():
        write_atomically(folder / name, table)
    if plots:
        plots_folder.mkdir(parents=True, exist_ok=True)
        with measuring("plots"):
            _write_figures(reported, metrics[predictions.splits[-1]], pictures, plots_folder, max_pixels)
    if len(metrics) > 1:
        logger.debug("tables and plots are those of the %s split", predictions.splits[-1])
    return metrics


def write_ranking(predictions: Predictions, folder: Path) -> None:
    """Write ranking.csv of the last split: ROC AUC and average precision of each class against all others."""
    reported = predictions.select(predictions.splits[-1])
    ranking = _rank_classes(reported)
    write_table(ranking, folder / RANKING)
    means = ranking[["roc_auc", "average_precision"]].mean()
    logger.info("each class against all others, on average: ROC AUC %.3f, average precision %.3f", *means)


def build_ranking(reported: Predictions) -> str:
    """Return the content of ranking.csv."""
    return format_table(_rank_classes(reported))


def _rank_classes(reported: Predictions) -> pd.DataFrame:
    return compute_class_ranking(reported.targets, reported.probabilities, reported.class_names)


def build_tables(reported: Predictions) -> dict[str, str]:
    """Return the content of the tables of one split by the names of their files."""
    targets, names = reported.targets, reported.class_names
    confusion = compute_confusion(targets, reported.predictions, names)
    return {
        "per_class.csv": format_table(compute_per_class(targets, reported.probabilities, names)),
        "confusion.csv": confusion.to_csv(index_label="true \\ predicted"),
        "coverage.csv": format_table(compute_coverage(reported.confidences, reported.is_correct)),
    }


def _write_figures(
    reported: Predictions, metrics: Metrics, pictures: ImageTable, folder: Path, max_pixels: int
) -> None:
    for name, draw in EVALUATION_FIGURES.items():
        replace_figure(draw(reported, metrics), folder / f"{name}.png")
    replace_figure(plot_worst_mistakes(reported, pictures, max_pixels), folder / "mistakes.png")
