"""Scores again, without the pictures that another split has as well."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from discern.data.sources.csv_file import read_cells
from discern.evaluation.metrics import compute_metrics
from discern.files import write_json
from discern.reports.evaluation_files import SplitAnswers, describe_metrics

logger = logging.getLogger("discern")


def write_scores_without_leaks(answers: Mapping[str, SplitAnswers], leaks: Path, path: Path) -> None:
    """Write metrics of the splits without the pictures that `leaks` lists, and say them; nothing where it is missing.

    A split of which nothing is left is not in the file.
    """
    if not leaks.is_file():
        return
    leaked = set(read_cells(leaks, only=("id",))["id"])
    metrics = {}
    for split, answer in answers.items():
        is_new = ~answer.table.frame["id"].isin(leaked).to_numpy()
        if is_new.any():
            rows = np.flatnonzero(is_new)
            table = answer.table.take(rows)
            metrics[split] = compute_metrics(table.targets(), answer.probabilities[rows], table.class_names)
            gone = len(is_new) - len(rows)
            logger.info("%s without %d leaked pictures: %s", split, gone, describe_metrics(metrics[split]))
    write_json(path, metrics)
