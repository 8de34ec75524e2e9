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

from discern.data.dataset import decode_row
from discern.data.decode import MAX_PIXELS
from discern.data.table import ImageTable
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.evaluation.tables import build_predictions, compute_confusion, compute_per_class
from discern.files import replacing, write_atomically, write_json
from discern.plots.confusion import plot_confusion
from discern.plots.gallery import plot_mistakes

logger = logging.getLogger("discern")

_GALLERY_SIZE = 25
_GALLERY_PIXELS = 256
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
    evaluation.mkdir(parents=True, exist_ok=True)
    plots.mkdir(parents=True, exist_ok=True)
    metrics = {
        split: compute_metrics(answer.table.targets(), answer.probabilities, answer.table.class_names)
        for split, answer in answers.items()
    }
    write_json(evaluation / "metrics.json", metrics)
    if not answers:
        return metrics
    _write_table(_build_all_predictions(answers), evaluation / "predictions.csv")
    for split, values in metrics.items():
        logger.info("%s: %s", split, describe_metrics(values))
    reported, answer = list(answers.items())[-1]
    targets, names = answer.table.targets(), answer.table.class_names
    _write_table(compute_per_class(targets, answer.probabilities, names), evaluation / "per_class.csv")
    confusion = compute_confusion(targets, answer.predictions, names)
    write_atomically(evaluation / "confusion.csv", confusion.to_csv(index_label="true \\ predicted"))
    matrix = confusion.to_numpy()
    save_figure(plot_confusion(matrix, names, normalized=False), plots / "confusion.png")
    save_figure(plot_confusion(matrix, names, normalized=True), plots / "confusion_normalized.png")
    save_figure(_plot_worst_mistakes(answer), plots / "mistakes.png")
    logger.info("confusion matrix and misclassified pictures are those of the %s split", reported)
    return metrics


def describe_metrics(metrics: Metrics) -> str:
    """Return one line for people."""
    accuracy, f1 = metrics["accuracy"], metrics["macro_f1"]
    return (
        f"accuracy {accuracy['value']:.1%} (95 % interval {accuracy['low']:.1%} to {accuracy['high']:.1%}), "
        f"macro F1 {f1['value']:.3f}, loss {metrics['loss']['value']:.4f}, {metrics['count']} pictures"
    )


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with replacing(path) as temporary, warnings.catch_warnings():
        # Characters that no font here has are drawn as boxes; one warning for each would bury everything else.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(temporary, format="png", dpi=150, pil_kwargs={"compress_level": _PNG_EFFORT})


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


def _write_table(table: pd.DataFrame, path: Path) -> None:
    write_atomically(path, table.to_csv(index=False, float_format="%.6g"))


def _plot_worst_mistakes(answer: SplitAnswers) -> Figure:
    """Draw the misclassified pictures, the most confident first."""
    wrong = np.flatnonzero(answer.predictions != answer.table.targets())
    confidences = answer.probabilities.max(axis=1)
    worst = wrong[np.argsort(-confidences[wrong], kind="stable")][:_GALLERY_SIZE]
    names = np.array(answer.table.class_names, dtype=object)
    return plot_mistakes(
        [_load_thumbnail(answer.table, row, answer.max_pixels) for row in worst],
        [str(answer.table.frame["id"].iloc[row]) for row in worst],
        list(names[answer.table.targets()[worst]]),
        list(names[answer.predictions[worst]]),
        [float(value) for value in confidences[worst]],
        total=len(wrong),
    )


def _load_thumbnail(table: ImageTable, row: int, max_pixels: int) -> npt.NDArray[np.uint8]:
    image = decode_row(table, row, max_pixels=max_pixels)
    image.thumbnail((_GALLERY_PIXELS, _GALLERY_PIXELS))
    return np.asarray(image)
