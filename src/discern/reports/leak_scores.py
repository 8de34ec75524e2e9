"""The metrics again, without the pictures that another split has as well."""

import logging
from pathlib import Path

import numpy as np

from discern.data.sources.csv_file import read_cells
from discern.evaluation.metrics import Metrics, save_metrics
from discern.evaluation.predictions import Predictions
from discern.evaluation.split_scores import score_splits

logger = logging.getLogger("discern")


def write_scores_without_leaks(predictions: Predictions, leaks: Path, path: Path) -> None:
    """Write and log metrics by split without the pictures that the file `leaks` lists; nothing where it is missing.

    A split of which nothing is left is not in the file.
    """
    if not leaks.is_file():
        return
    metrics = score_without(predictions, leaks)
    for split, one in metrics.items():
        leaked = len(predictions.select(split)) - one.count
        if leaked:
            logger.info("%s without %d leaked pictures: %s", split, leaked, one.describe())
    save_metrics(metrics, path)


def score_without(predictions: Predictions, listed: Path) -> dict[str, Metrics]:
    """Return the metrics by split without the pictures that a CSV file lists by their ids."""
    is_new = ~predictions.ids.isin(set(read_cells(listed, only=("id",))["id"])).to_numpy()
    return score_splits(predictions.take(np.flatnonzero(is_new)))
