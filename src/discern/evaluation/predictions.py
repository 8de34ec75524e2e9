"""Predictions on labelled pictures: the one type that metrics, plots, reports and comparisons read, and its CSV."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.data.class_finder import match_labels
from discern.data.table import SPLITS, ImageTable, build_table, check_unique, natural_sort
from discern.errors import DataError, cut, list_some, name_some
from discern.evaluation.familiarity import Familiarity
from discern.evaluation.written_probabilities import MAX_WHOLE_CLASSES, as_written, find_kept, put_first, spread_rest
from discern.files import write_table

UNSPLIT = "all"
"""Stands for the split of pictures that have none."""
OUT_OF_FOLD = "out-of-fold"
"""The split of pictures that were trained on in folds, each predicted by the member that had not seen it."""
_ORDER = (*SPLITS[:-1], OUT_OF_FOLD, SPLITS[-1])

_PREFIX = "probability_"
_REQUIRED = ("id", "true", "predicted", "confidence")
_TEXTS = ("id", "path", "split", "true", "predicted")
_FAMILIARITY = ("familiarity", "unfamiliar")
_ROUNDING = 1e-5
"""How far apart equal probabilities may lie in a file with six digits."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier predicted for N labelled pictures.

    `frame` has a RangeIndex, one row per picture, and the columns id, path ("" for a picture in memory), split
    (`UNSPLIT` if there is none), true and predicted (names of classes; true is "" where unknown) and confidence (0..1);
    where it is known, also familiarity (0..1) and unfamiliar, as `Familiarity` has them.
    `class_names` are those that the classifier knows; true classes may be others. `probabilities` are (N, K), or (N, 0)
    where they were not in the file or not asked for. `source` is for messages.
    """

    frame: pd.DataFrame
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    source: str = "the predictions"

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def ids(self) -> "pd.Series[str]":
        """The ids (N,) of the pictures."""
        return self.frame["id"]

    @property
    def paths(self) -> "pd.Series[str]":
        """The files (N,) of the pictures; "" for one in memory."""
        return self.frame["path"]

    @property
    def targets(self) -> NDArray[np.int64]:
        """Class indices (N,), -1 for a true class that is unknown or that the classifier does not know."""
        return _find_indices(self.class_names, self.frame["true"])

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Predicted class indices (N,)."""
        return _find_indices(self.class_names, self.frame["predicted"])

    @property
    def confidences(self) -> NDArray[np.float64]:
        """The probability (N,) of the predicted class."""
        return self.frame["confidence"].to_numpy(dtype=np.float64)

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Whether each predicted class (N,) is the true one."""
        return np.asarray(self.frame["true"] == self.frame["predicted"], dtype=np.bool_)

    @property
    def familiarity(self) -> Familiarity | None:
        """How familiar the pictures are; None where it is not known."""
        if not set(_FAMILIARITY) <= set(self.frame.columns):
            return None
        values, is_unfamiliar = (self.frame[name].to_numpy() for name in _FAMILIARITY)
        return Familiarity(values.astype(np.float64), is_unfamiliar.astype(np.bool_))

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits in use: train, validation, out-of-fold, test, then others; reports are about the last one."""
        places = {name: place for place, name in enumerate(_ORDER)}
        return tuple(sorted(self.frame["split"].unique(), key=lambda name: places.get(name, len(_ORDER))))

    def at_paths(self, paths: Sequence[str]) -> "Predictions":
        """Return the same predictions with the pictures in other places."""
        return replace(self, frame=self.frame.assign(path=pd.Series(list(paths), dtype="str")))

    def take(self, rows: NDArray[np.int64]) -> "Predictions":
        """Return the rows at these positions, in this order."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return replace(self, frame=frame, probabilities=self.probabilities[rows])

    def select(self, split: str) -> "Predictions":
        """Return the rows of one split."""
        return self.take(np.flatnonzero((self.frame["split"] == split).to_numpy()))

    def find_mistakes(self) -> NDArray[np.int64]:
        """Return the rows of wrong predictions, the most confident first."""
        wrong = np.flatnonzero(~self.is_correct)
        return wrong[np.argsort(-self.confidences[wrong], kind="stable")]


def build_predictions(
    ids: Sequence[str],
    paths: Sequence[str],
    targets: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    *,
    split: str = UNSPLIT,
    familiarity: Familiarity | None = None,
) -> Predictions:
    """Build predictions from targets (N,), -1 where unknown, probabilities (N, K), and the familiarity where known.

    Probabilities get the digits that a predictions.csv has, so that every number that is computed from them can be
    computed again from the file.

    Raises:
        ValueError: The arguments differ in length.
    """
    names = np.asarray(class_names, dtype=object)
    predictions = probabilities.argmax(axis=1)
    written = as_written(probabilities, targets, predictions)
    columns = {
        "id": list(ids),
        "path": list(paths),
        "split": [split] * len(ids),
        "true": np.where(targets >= 0, names[targets], ""),
        "predicted": names[predictions],
        "confidence": written.max(axis=1),
        **({} if familiarity is None else familiarity.to_columns()),
    }
    return Predictions(pd.DataFrame(columns), written, tuple(class_names))


def build_table_predictions(
    table: ImageTable, probabilities: NDArray[np.floating], split: str, familiarity: Familiarity | None = None
) -> Predictions:
    """Build the predictions for the pictures of a table from their probabilities (N, K), and their familiarity."""
    return build_predictions(
        list(table.frame["id"]),
        list(table.frame["path"]),
        table.targets(),
        probabilities,
        table.class_names,
        split=split,
        familiarity=familiarity,
    )


def join_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Return the rows of several predictions of one classifier, one part after the other.

    Raises:
        ValueError: There is no part, or they differ in their classes.
    """
    if len({part.class_names for part in parts}) != 1:
        raise ValueError("expected one part or more, with the same classes")
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    return replace(parts[0], frame=frame, probabilities=np.concatenate([part.probabilities for part in parts]))


def build_picture_table(predictions: Predictions) -> ImageTable:
    """Build the table of the pictures, with their true classes as labels, to read the files again.

    Raises:
        DataError: An id occurs twice.
    """
    frame = predictions.frame
    columns = {"id": frame["id"], "path": frame["path"], "label": frame["true"], "split": frame["split"]}
    return build_table(columns, source=predictions.source)


def spell_classes_as(known: Predictions, predictions: Predictions) -> Predictions:
    """Return predictions in whose frame each class is spelt as in `known`; classes that it does not have stay.

    Raises:
        DataError: Several classes of the one mean one class of the other.
    """
    theirs, ours = (
        natural_sort({*one.class_names, *one.frame["true"], *one.frame["predicted"]} - {""})
        for one in (known, predictions)
    )
    spelling = match_labels(ours, theirs, predictions.source)
    columns = {
        name: predictions.frame[name].map(lambda label: spelling.get(label, label)) for name in ("true", "predicted")
    }
    return replace(predictions, frame=predictions.frame.assign(**columns))


def tabulate_predictions(predictions: Predictions) -> pd.DataFrame:
    """Return the columns of a predictions.csv: those of `Predictions.frame`, then probability_CLASS for each class.

    Above 100 classes, a row has the probabilities of its 20 most probable classes and of the true one; the other cells
    are missing, and `load_predictions` spreads what they lack of 1 evenly.
    """
    names = [f"{_PREFIX}{name}" for name in predictions.class_names[: predictions.probabilities.shape[1]]]
    values = predictions.probabilities
    if values.shape[1] > MAX_WHOLE_CLASSES:
        values = np.where(find_kept(values, predictions.targets), values, np.nan)
    probabilities = pd.DataFrame(values, columns=names)
    return pd.concat([predictions.frame, probabilities], axis=1)


def save_predictions(predictions: Predictions, path: str | Path) -> None:
    """Write a predictions.csv, with six digits."""
    write_table(tabulate_predictions(predictions), path)


def find_predictions(place: str | Path) -> Path:
    """Return the predictions.csv of a run or of an evaluation's folder, or the file itself.

    Raises:
        DataError: There is none.
    """
    place = Path(place)
    folders = (place / "evaluation", place)
    candidates = [folder / "predictions.csv" for folder in folders] if place.is_dir() else [place]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DataError(
        f"{place} has no predictions; looked for {' and '.join(map(str, candidates))}. Expected a run that was "
        "evaluated, the folder of an evaluation (discern evaluate RUN DATA writes one), or a predictions.csv."
    )


def load_predictions(path: str | Path, *, with_probabilities: bool = True) -> Predictions:
    """Read a predictions.csv; the columns path and split may be missing.

    Where the file's six digits make two classes equal, the predicted one is put first again.

    Args:
        path: The file.
        with_probabilities: Also read the columns probability_CLASS and check them; otherwise they may be missing.

    Raises:
        DataError: There is no such file, it lacks columns, rows lack the true class or are otherwise unusable, or
            probabilities do not add up to 1 or contradict the predicted class; all rows are listed.
    """
    path = Path(path)
    names = list(_read(path, None, rows=0).columns)
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        shown = name_some([cut(name, 40) for name in names])
        raise DataError(
            f"{path}: no column {', '.join(missing)}; it has {shown}. Expected a predictions.csv as training and "
            "`discern evaluate` write it: id, path, split, true, predicted, confidence and probability_CLASS."
        )
    frame = _read_frame(path, names)
    class_names = tuple(name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))
    if not with_probabilities:
        return Predictions(frame, np.zeros((len(frame), 0)), class_names, str(path))
    probabilities = _read_probabilities(path, frame, class_names)
    frame["confidence"] = probabilities.max(axis=1)
    return Predictions(frame, probabilities, class_names, str(path))


def _read_frame(path: Path, names: Sequence[str]) -> pd.DataFrame:
    cells = _read(path, [name for name in names if name in (*_TEXTS, "confidence", *_FAMILIARITY)])
    frame = pd.DataFrame({name: cells.get(name, "") for name in _TEXTS}, index=cells.index)
    frame["split"] = frame["split"].where(frame["split"] != "", UNSPLIT)
    frame["confidence"] = pd.to_numeric(cells["confidence"], errors="coerce")
    if set(_FAMILIARITY) <= set(names):
        frame["familiarity"] = pd.to_numeric(cells["familiarity"], errors="coerce")
        frame["unfamiliar"] = cells["unfamiliar"].astype("str").str.lower() == "true"
    if frame.empty:
        raise DataError(f"{path}: no rows. Expected one row per picture.")
    _check_rows(frame["true"] == "", frame["id"], f"{path}: rows without a true class", "Label or remove them.")
    _check_rows(
        (frame["id"] == "") | (frame["predicted"] == "") | ~frame["confidence"].between(0, 1 + _ROUNDING),
        frame["id"],
        f"{path}: rows without an id, a predicted class or a confidence in 0..1",
        "Restore or remove them.",
    )
    check_unique(frame["id"], f"{path}: the same id")
    return frame


def _read_probabilities(path: Path, frame: pd.DataFrame, class_names: tuple[str, ...]) -> NDArray[np.float64]:
    if len(class_names) < 2:
        raise DataError(
            f"{path}: {len(class_names)} columns probability_CLASS; expected one for each class, two at least."
        )
    cells = _read(path, [f"{_PREFIX}{name}" for name in class_names])
    numbers = cells.apply(pd.to_numeric, errors="coerce")
    probabilities: NDArray[np.float64] = numbers.to_numpy(dtype=np.float64, copy=True)
    if len(class_names) > MAX_WHOLE_CLASSES:
        probabilities = spread_rest(probabilities, (cells == "").to_numpy() | cells.isna().to_numpy())
    # NaN fails the comparisons.
    is_valid = (probabilities >= 0).all(axis=1) & (np.abs(probabilities.sum(axis=1) - 1) <= 1e-3)
    what = f"{path}: rows whose probabilities are not numbers in 0..1 that add up to 1"
    _check_rows(~is_valid, frame["id"], what, "Restore or remove them.")
    predictions = _find_indices(class_names, frame["predicted"])
    rows = np.arange(len(predictions))
    largest = probabilities.max(axis=1)
    is_first = (predictions >= 0) & (probabilities[rows, predictions] >= largest - _ROUNDING)
    what = f"{path}: rows whose predicted class is not the most probable one"
    _check_rows(~is_first, frame["id"], what, "Were columns renamed or sorted apart? Restore them.")
    put_first(probabilities, predictions)
    return probabilities


def _find_indices(class_names: Sequence[str], names: "pd.Series[str]") -> NDArray[np.int64]:
    return pd.Index(list(class_names), dtype="str").get_indexer(pd.Index(names)).astype(np.int64)


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


def _check_rows(is_bad: Iterable[bool], ids: "pd.Series[str]", what: str, next_step: str) -> None:
    rows = enumerate(zip(ids, is_bad, strict=True), start=1)
    listed = [f"row {row}: {name!r}" for row, (name, bad) in rows if bad]
    if listed:
        raise DataError(f"{what}:\n{list_some(listed)}\n{next_step}")
