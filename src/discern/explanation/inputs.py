"""Which pictures are explained, and what their true classes are."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from discern.data.class_finder import ClassFinder, match_labels
from discern.data.moved import check_found, find_pictures
from discern.data.sources.csv_file import read_cells
from discern.data.table import ImageTable, build_table
from discern.errors import DataError
from discern.evaluation.predictions import load_predictions
from discern.run_folder import RunFolder

MAX_MISTAKES = 25


def load_mistakes(folder: RunFolder, data: str | Path | None = None) -> ImageTable:
    """Return the misclassified pictures of the split that a run reports, the most confident first, 25 at most.

    What is not there any more is looked for below `data`.

    Raises:
        DataError: The run has no predictions, its pictures were not files, or `data` has none of them.
    """
    predictions = load_predictions(folder.evaluation / "predictions.csv", with_probabilities=False)
    paths = find_pictures(predictions.paths.tolist(), folder.read_data_root(), data)
    check_found(paths, data)
    predictions = predictions.at_paths(paths)
    reported = predictions.select(predictions.splits[-1])
    worst = reported.take(reported.find_mistakes()[:MAX_MISTAKES]).frame
    if (worst["path"] == "").any():
        raise DataError(
            f"{predictions.source}: its pictures were no files, so they cannot be read again; give them as an .npz file"
        )
    return build_table(
        {"id": worst["id"], "path": worst["path"], "label": worst["true"]}, source=f"mistakes of {predictions.source}"
    )


def find_true_names(
    table: ImageTable, class_names: Sequence[str], folder: RunFolder, data: str | Path | None = None
) -> dict[str, str | None]:
    """Return the true class of each picture by its id, None where it is not known.

    It is the label that came with the picture, or the one in the run's split.csv, or the name of its folder if that is
    a class. A label that spells a class otherwise takes the spelling of the class.

    Raises:
        DataError: Several labels mean one class.
    """
    saved = _load_labels(folder, table.frame["path"], data)
    finder, spelling = ClassFinder(class_names), match_labels(table.class_names, class_names, table.source)
    names: dict[str, str | None] = {}
    for name, path, label in zip(*(table.frame[column] for column in ("id", "path", "label")), strict=True):
        index = finder.find(Path(path).parent.name)
        guess = None if index is None else class_names[index]
        own = None if pd.isna(label) else spelling.get(str(label), str(label))
        names[name] = own or saved.get(_make_absolute(path), guess)
    return names


def drop_labels(table: ImageTable) -> ImageTable:
    """Return the table without labels, which may not be classes of the classifier."""
    frame = table.frame.assign(label=pd.Series(np.full(len(table), None), dtype="str"))
    return replace(table, frame=frame, class_names=())


def _load_labels(folder: RunFolder, paths: "pd.Series[str]", data: str | Path | None) -> dict[str, str]:
    """Return the labels of these pictures by absolute path, as far as a run's split.csv has them."""
    if not folder.split.is_file():
        return {}
    cells = read_cells(folder.split, only=["path", "label"])
    saved = find_pictures(cells["path"].tolist(), folder.read_data_root(), data)
    wanted = {_make_absolute(path) for path in paths if path}
    pairs = zip(map(_make_absolute, saved), cells["label"], strict=True)
    return {path: label for path, label in pairs if path in wanted}


def _make_absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links are not followed, and a million Paths take seconds
