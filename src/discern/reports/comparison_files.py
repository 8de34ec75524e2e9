"""Writes and logs the comparison of two runs: the numbers, and the pictures on which they disagree."""

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from discern.counts import count_of
from discern.data.moved import GIVE_DATA
from discern.data.reading.thumbnails import load_thumbnails
from discern.data.table import build_table
from discern.errors import name_some
from discern.evaluation.comparison import Comparison, PairedPredictions
from discern.evaluation.intervals import Interval
from discern.evaluation.predictions import UNSPLIT, Predictions
from discern.files import write_json, write_table
from discern.percent import percent
from discern.plots.gallery import GALLERY_SIZE, Answer, plot_disagreements
from discern.plots.saving import replace_figure
from discern.predictor.description import Decoding

logger = logging.getLogger("discern")


def write_comparison(
    comparison: Comparison, pairs: PairedPredictions, folder: Path, decoding: Decoding, *, plots: bool = True
) -> None:
    """Write comparison.json, disagreements.csv and, with `plots`, disagreements.png."""
    disagreements = pairs.find_disagreements()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "comparison.json", comparison.model_dump(mode="json"))
    write_table(disagreements, folder / "disagreements.csv")
    if plots:
        replace_figure(_plot_disagreements(disagreements, decoding), folder / "disagreements.png")


def log_comparison(
    comparison: Comparison, pairs: PairedPredictions, a: Predictions, b: Predictions, split: str
) -> None:
    """Log how good both are, on which pictures, and which is better."""
    if split == "validation":
        logger.warning("compared on validation pictures, by which models are chosen: they flatter both")
    _log_classes(a, b)
    logger.info("A: accuracy %s, %s", _describe(comparison.accuracy_a), a.source)
    logger.info("B: accuracy %s, %s", _describe(comparison.accuracy_b), b.source)
    logger.info("%s", _describe_pictures(pairs, split))
    logger.info("%s", comparison.verdict)


def _plot_disagreements(rows: pd.DataFrame, decoding: Decoding) -> Figure | None:
    """Draw the first of them; None if there are some, but none whose picture can be read."""
    table = build_table({"id": rows["id"], "path": rows["path"]}, source="disagreements")
    thumbnails = load_thumbnails(
        replace(table, depth_range=decoding.depth_range),
        range(len(rows)),
        max_count=GALLERY_SIZE,
        shown_in="disagreements.png",
        max_pixels=decoding.max_pixels,
        advice=GIVE_DATA,
    )
    if len(rows) and not thumbnails:
        return None
    shown = rows.iloc[list(thumbnails)]
    answers_a, answers_b = (
        list(map(Answer, shown[f"predicted_{side}"], shown[f"confidence_{side}"])) for side in ("a", "b")
    )
    return plot_disagreements(
        list(thumbnails.values()), list(shown["id"]), list(shown["true"]), answers_a, answers_b, total=len(rows)
    )


def _log_classes(a: Predictions, b: Predictions) -> None:
    """Warn of classes that only one can predict, where the files have a column for each class."""
    if not a.class_names or not b.class_names:
        return
    for name, own, other in (("A", a, b), ("B", b, a)):
        more = [class_name for class_name in own.class_names if class_name not in other.class_names]
        if more:
            logger.warning("classes that only %s knows, so that the other is wrong on them: %s", name, name_some(more))


def _describe(accuracy: Interval) -> str:
    return f"{percent(accuracy.value)} (95 % interval {percent(accuracy.low)} to {percent(accuracy.high)})"


def _describe_pictures(pairs: PairedPredictions, split: str) -> str:
    of_split = "" if split == UNSPLIT else f" of the split {split}"
    left_out = f"; left out: {pairs.only_in_a} that only A has, {pairs.only_in_b} that only B has"
    is_partial = pairs.only_in_a + pairs.only_in_b > 0
    return (
        f"{count_of(len(pairs.frame), 'picture')}{of_split} that both have answered{left_out if is_partial else ''}; "
        f"they disagree on {len(pairs.find_disagreements())}"
    )
