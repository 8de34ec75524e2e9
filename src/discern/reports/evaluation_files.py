"""Writes what is known about a classifier's answers: metrics, tables and plots."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from discern.data.reading.decode import MAX_PIXELS
from discern.data.reading.thumbnails import load_thumbnails
from discern.data.table import ImageTable
from discern.evaluation.calibration import compute_reliability
from discern.evaluation.coverage import compute_coverage
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.evaluation.ranking import compute_ranking_curves
from discern.evaluation.tables import build_predictions, compute_class_ranking, compute_confusion, compute_per_class
from discern.files import replacing, write_atomically, write_json
from discern.plots.confusion import plot_confusion
from discern.plots.coverage import plot_coverage
from discern.plots.gallery import GALLERY_SIZE, plot_mistakes
from discern.plots.reliability import plot_reliability
from discern.plots.roc import plot_roc

logger = logging.getLogger("discern")

_PNG_EFFORT = 3
"""Half the time of Pillow's own choice, for files a tenth larger."""


@dataclass(frozen=True)
class SplitAnswers:
    """The labelled pictures of one split and their probabilities (N, K)."""

    table: ImageTable
    probabilities: npt.NDArray[np.float64]
    max_pixels: int = MAX_PIXELS

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """Class indices (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1))


def write_evaluation(answers: Mapping[str, SplitAnswers], evaluation: Path, plots: Path) -> dict[str, Metrics]:
    """Write metrics.json and predictions.csv of all splits, and tables and plots of the last one, which is reported."""
    metrics = write_scores(answers, evaluation, plots)
    if answers:
        write_table(_build_all_predictions(answers), evaluation / "predictions.csv")
    return metrics


def write_scores(answers: Mapping[str, SplitAnswers], evaluation: Path, plots: Path) -> dict[str, Metrics]:
    """Write all that `write_evaluation` does but the predictions themselves."""
    evaluation.mkdir(parents=True, exist_ok=True)
    plots.mkdir(parents=True, exist_ok=True)
    metrics = {
        split: compute_metrics(answer.table.targets(), answer.probabilities, answer.table.class_names)
        for split, answer in answers.items()
    }
    write_json(evaluation / "metrics.json", metrics)
    if not answers:
        return metrics
    for split, values in metrics.items():
        logger.info("%s: %s", split, describe_metrics(values))
    reported, answer = list(answers.items())[-1]
    targets, names = answer.table.targets(), answer.table.class_names
    write_table(compute_per_class(targets, answer.probabilities, names), evaluation / "per_class.csv")
    confusion = compute_confusion(targets, answer.predictions, names)
    write_atomically(evaluation / "confusion.csv", confusion.to_csv(index_label="true \\ predicted"))
    confidences = answer.probabilities.max(axis=1)
    coverage = compute_coverage(confidences, answer.predictions == targets)
    write_table(coverage, evaluation / "coverage.csv")
    figures = {
        "confusion": plot_confusion(confusion.to_numpy(), names, normalized=False),
        "confusion_normalized": plot_confusion(confusion.to_numpy(), names, normalized=True),
        "reliability": _plot_reliability(answer, metrics[reported]),
        "coverage": plot_coverage(coverage),
        "roc": _plot_roc(answer, metrics[reported]),
        "mistakes": _plot_worst_mistakes(answer),
    }
    for name, figure in figures.items():
        replace_figure(figure, plots / f"{name}.png")
    if len(answers) > 1:
        logger.info("tables and plots are those of the %s split", reported)
    return metrics


def write_ranking(answer: SplitAnswers, evaluation: Path) -> None:
    """Write ranking.csv: ROC AUC and average precision of each class against all others."""
    targets, names = answer.table.targets(), answer.table.class_names
    ranking = compute_class_ranking(targets, answer.probabilities, names)
    write_table(ranking, evaluation / "ranking.csv")
    means = ranking[["roc_auc", "average_precision"]].mean()
    logger.info("each class against all others, on average: ROC AUC %.3f, average precision %.3f", *means)


def describe_metrics(metrics: Metrics) -> str:
    """Return one line for people."""
    accuracy, f1 = metrics["accuracy"], metrics["macro_f1"]
    return (
        f"accuracy {accuracy['value']:.1%} (95 % interval {accuracy['low']:.1%} to {accuracy['high']:.1%}), "
        f"macro F1 {f1['value']:.3f}, loss {metrics['loss']['value']:.4f}, "
        f"calibration error {metrics['ece']['value']:.1%}, {metrics['count']} pictures"
    )


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV with six digits, atomically."""
    write_atomically(path, table.to_csv(index=False, float_format="%.6g"))


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with replacing(path) as temporary, warnings.catch_warnings():
        # Characters that no font here has are drawn as boxes; one warning for each would bury everything else.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(temporary, format="png", dpi=150, pil_kwargs={"compress_level": _PNG_EFFORT})


def replace_figure(figure: Figure | None, path: Path) -> None:
    """Write a figure, or remove an earlier one where there is nothing to draw."""
    if figure is None:
        path.unlink(missing_ok=True)
    else:
        save_figure(figure, path)


def _build_all_predictions(answers: Mapping[str, SplitAnswers]) -> pd.DataFrame:
    parts = []
    for split, answer in answers.items():
        frame = answer.table.frame
        rows = build_predictions(
            list(frame["id"]),
            list(frame["path"]),
            answer.table.targets(),
            answer.probabilities,
            answer.table.class_names,
        )
        rows.insert(2, "split", split)
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _plot_reliability(answer: SplitAnswers, metrics: Metrics) -> Figure:
    bins = compute_reliability(answer.table.targets(), answer.probabilities)
    return plot_reliability(bins, calibration_error=metrics["ece"]["value"])


def _plot_roc(answer: SplitAnswers, metrics: Metrics) -> Figure | None:
    """Draw the curves of the second of two classes; there are none for more, or where one has no pictures."""
    if "roc_auc" not in metrics or "average_precision" not in metrics:
        return None
    targets = answer.table.targets()
    curves = compute_ranking_curves(targets, answer.probabilities[:, 1])
    return plot_roc(
        *curves,
        class_name=answer.table.class_names[1],
        prevalence=float(targets.mean()),
        roc_auc=metrics["roc_auc"]["value"],
        average_precision=metrics["average_precision"]["value"],
    )


def _plot_worst_mistakes(answer: SplitAnswers) -> Figure | None:
    """Draw the misclassified pictures, the most confident first; None if there are some, but none to be read."""
    wrong = np.flatnonzero(answer.predictions != answer.table.targets())
    confidences = answer.probabilities.max(axis=1)
    worst = wrong[np.argsort(-confidences[wrong], kind="stable")]
    thumbnails = load_thumbnails(
        answer.table, worst, max_count=GALLERY_SIZE, shown_in="mistakes.png", max_pixels=answer.max_pixels
    )
    if len(wrong) and not thumbnails:
        return None
    shown, names = list(thumbnails), np.array(answer.table.class_names, dtype=object)
    return plot_mistakes(
        list(thumbnails.values()),
        [str(answer.table.frame["id"].iloc[row]) for row in shown],
        list(names[answer.table.targets()[shown]]),
        list(names[answer.predictions[shown]]),
        [float(value) for value in confidences[shown]],
        total=len(wrong),
    )
