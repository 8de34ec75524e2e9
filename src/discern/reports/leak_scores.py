"""The metrics again, without the pictures that another split has as well."""

import logging
from pathlib import Path

import numpy as np

from discern.data.sources.csv_file import read_cells
from discern.evaluation.metrics import compute_metrics, save_metrics
from discern.evaluation.predictions import Predictions

logger = logging.getLogger("discern")


def write_scores_without_leaks(predictions: Predictions, leaks: Path, path: Path) -> None:
    """Write and log metrics by split without the pictures that the file `leaks` lists; nothing where it is missing.

    A split of which nothing is left is not in the file.
    """
    if not leaks.is_file():
        return
    is_new = ~predictions.ids.isin(set(read_cells(leaks, only=("id",))["id"])).to_numpy()
    kept = predictions.take(np.flatnonzero(is_new))
    metrics = {}
    for split in kept.splits:
        one = kept.select(split)
        metrics[split] = compute_metrics(one.targets, one.probabilities, one.class_names)
        leaked = len(predictions.select(split)) - len(one)
        if leaked:
            logger.info("%s without %d leaked pictures: %s", split, leaked, metrics[split].describe())
    save_metrics(metrics, path)
