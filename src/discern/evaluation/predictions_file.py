"""What a predictions.csv says, read back and checked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.data.table import SPLITS, check_unique, list_some
from discern.errors import DataError

UNSPLIT = "all"
"""Stands for the split of pictures that have none."""

_PREFIX = "probability_"
_REQUIRED = ("id", "true", "predicted", "confidence")
_TEXTS = ("id", "path", "split", "true", "predicted")
_ROUNDING = 1e-5
"""How far apart equal probabilities may lie in a file with six digits."""


@dataclass(frozen=True, eq=False)
class SavedAnswers:
    """The labelled pictures of a predictions.csv and what was answered, a row a picture.

    `frame` has a RangeIndex and the columns id (unique), path ("" where unknown), split (`UNSPLIT` if there is none),
    true, predicted and confidence. `class_names` are those that the classifier could have answered.
    """

    frame: pd.DataFrame
    class_names: tuple[str, ...]
    source: str

    def list_splits(self) -> list[str]:
        """Return the splits in use: train, validation, test, then others."""
        places = {name: place for place, name in enumerate(SPLITS)}
        return sorted(self.frame["split"].unique(), key=lambda name: places.get(name, len(SPLITS)))

    def select(self, split: str) -> "SavedAnswers":
        """Return the rows of one split."""
        return replace(self, frame=self.frame[self.frame["split"] == split].reset_index(drop=True))


def load_answers(path: Path) -> SavedAnswers:
    """Read all of a predictions.csv but its probabilities.

    Raises:
        DataError: There is no such file, it lacks columns, or rows lack the true class or are otherwise unusable; all
            are listed.
    """
    names = list(_read(path, None, rows=0).columns)
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
        raise DataError(
            f"{path}: no column {', '.join(missing)}; it has {shown}. Expected a predictions.csv as training and "
            "`discern evaluate` write it: id, path, split, true, predicted, confidence and probability_CLASS."
        )
    cells = _read(path, [name for name in names if name in (*_TEXTS, "confidence")])
    frame = pd.DataFrame({name: cells.get(name, "") for name in _TEXTS}, index=cells.index)
    frame["split"] = frame["split"].where(frame["split"] != "", UNSPLIT)
    frame["confidence"] = pd.to_numeric(cells["confidence"], errors="coerce")
    source = str(path)
    if frame.empty:
        raise DataError(f"{source}: no rows. Expected one row a picture.")
    _refuse_rows(frame["true"] == "", frame["id"], f"{source}: rows without a true class", "Label or remove them.")
    _refuse_rows(
        (frame["id"] == "") | (frame["predicted"] == "") | ~frame["confidence"].between(0, 1 + _ROUNDING),
        frame["id"],
        f"{source}: rows without an id, a predicted class or a confidence in 0..1",
        "Restore or remove them.",
    )
    check_unique(frame["id"], f"{source}: the same id")
    class_names = tuple(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))
    return SavedAnswers(frame, class_names, source)


def load_probabilities(path: Path, answers: SavedAnswers) -> NDArray[np.float64]:
    """Read the probabilities (N, K) of the answers of the same file, in the order of its classes.

    Where the file's six digits make two classes equal, the predicted one is put first again.

    Raises:
        DataError: There are fewer than two classes, or rows that do not add up to 1 or whose predicted class is not the
            most probable; all are listed.
    """
    if len(answers.class_names) < 2:
        raise DataError(
            f"{path}: {len(answers.class_names)} columns probability_CLASS; expected one for each class, two at least."
        )
    cells = _read(path, [f"{_PREFIX}{name}" for name in answers.class_names])
    numbers = cells.apply(pd.to_numeric, errors="coerce")
    probabilities: NDArray[np.float64] = numbers.to_numpy(dtype=np.float64, copy=True)
    ids = answers.frame["id"]
    # NaN fails the comparisons.
    is_valid = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) <= 1e-3)
    what = f"{path}: rows whose probabilities are not numbers in 0..1 that add up to 1"
    _refuse_rows(~is_valid, ids, what, "Restore or remove them.")
    predictions = pd.Index(answers.class_names).get_indexer(pd.Index(answers.frame["predicted"]))
    rows = np.arange(len(predictions))
    lead = probabilities.max(axis=1)
    is_first = (predictions >= 0) & (probabilities[rows, predictions] >= lead - _ROUNDING)
    what = f"{path}: rows whose predicted class is not the most probable one"
    _refuse_rows(~is_first, ids, what, "Were columns renamed or sorted apart? Restore them.")
    tied = rows[probabilities.argmax(axis=1) != predictions]
    probabilities[tied, predictions[tied]] = np.nextafter(lead[tied], 2)
    return probabilities


def _read(path: Path, columns: list[str] | None, rows: int | None = None) -> pd.DataFrame:
    """Read columns as written: a class may be called `NA` or `007`."""
    try:
        return pd.read_csv(
            path,
            usecols=columns,
            nrows=rows,
            dtype=dict.fromkeys(_TEXTS, "str"),
            keep_default_na=False,
            low_memory=False,
            encoding="utf-8-sig",
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as a CSV of predictions: {error}") from error


def _refuse_rows(is_bad: Iterable[bool], ids: "pd.Series[str]", what: str, next_step: str) -> None:
    rows = enumerate(zip(ids, is_bad, strict=True), start=1)
    listed = [f"row {row}: {name!r}" for row, (name, bad) in rows if bad]
    if listed:
        raise DataError(f"{what}:\n{list_some(listed)}\n{next_step}")
