"""Folds: parts of a table of which each is held out once, while a classifier learns from the others."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from discern.data.splitting.split import Fractions, split_table
from discern.data.table import ImageTable, natural_sort
from discern.errors import DataError, list_some
from discern.files import write_atomically

NO_FOLD = 0
"""Stands for the fold of a test picture, which no fold has."""

Folds = npt.NDArray[np.int64]
"""The fold (N,) of each picture, from 1; `NO_FOLD` for those of test."""


def pool_splits(table: ImageTable) -> tuple[ImageTable, int]:
    """Return the table with all pictures in train but those of a test split, and how many came from validation.

    Raises:
        DataError: As for `split_table`.
    """
    splits = table.frame["split"]
    is_validation = (splits == "validation").to_numpy()
    if splits.isna().all():
        splits = splits.astype("object").fillna("train")
    pooled = splits.mask(is_validation, "train").astype("str")
    table, _ = split_table(replace(table, frame=table.frame.assign(split=pooled)), fractions=(1.0, 0.0, 0.0), seed=0)
    return table, int(is_validation.sum())


def divide_into_folds(table: ImageTable, count: int, *, seed: int) -> Folds:
    """Divide the train pictures of a table, whose other split is test, into folds that are as equal as possible.

    Classes have the same shares in each fold, as far as the groups allow, which stay together. The outcome depends on
    the seed and on ids, labels and groups, not on the order of rows.

    Raises:
        DataError: A class has fewer pictures than there are folds, or fewer groups of pictures.
    """
    frame = table.frame[table.frame["split"] == "train"].sort_values("id")
    group_of_row, _ = pd.factorize(frame["group"].fillna("\0" + frame["id"]))
    _check_classes(frame["label"], group_of_row, count, table.source)
    folds = np.full(len(table), NO_FOLD, dtype=np.int64)
    parts = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(frame, frame["label"], group_of_row)
    for number, (_, held_out) in enumerate(parts, start=1):
        folds[frame.index[held_out]] = number
    return folds


def hold_out(table: ImageTable, folds: Folds, number: int, *, fractions: Fractions, seed: int) -> ImageTable:
    """Return the pictures of all folds, with those of one fold as test and validation taken from the others.

    Validation gets its part of the others in the proportion of the first two `fractions`, as `split_table` takes it.

    Raises:
        DataError: Train is left without a class.
    """
    rows = np.flatnonzero(folds != NO_FOLD)
    part = table.take(rows)
    splits = np.where(folds[rows] == number, "test", "train")
    part = replace(part, frame=part.frame.assign(split=pd.Series(splits, dtype="str")))
    return split_table(part, fractions=fractions, seed=seed)[0]


def save_folds(table: ImageTable, folds: Folds, path: Path) -> None:
    """Write the fold of each picture that has one as CSV, with the columns `id`, `label` and `fold`."""
    columns = table.frame[["id", "label"]].assign(fold=folds)
    write_atomically(path, columns[folds != NO_FOLD].to_csv(index=False))


def load_folds(table: ImageTable, path: Path) -> Folds:
    """Read the folds that `save_folds` wrote of the same table.

    Raises:
        DataError: The file cannot be read, or has other pictures.
    """
    try:
        saved = pd.read_csv(path, dtype={"id": "str"}, keep_default_na=False).set_index("id")["fold"]
        folds = saved.reindex(table.frame["id"]).fillna(NO_FOLD).to_numpy(dtype=np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is missing or damaged: {error}. Start the run again.") from None
    is_trained = (table.frame["split"] == "train").to_numpy()
    if len(saved) != is_trained.sum() or not np.array_equal(folds != NO_FOLD, is_trained):
        raise DataError(f"{path} has other pictures than {table.source}. Start the run again.")
    return folds


def _check_classes(labels: "pd.Series[str]", group_of_row: npt.NDArray[np.integer], count: int, source: str) -> None:
    """Check that each class can be in each fold."""
    numbers = pd.DataFrame({"label": labels.to_numpy(), "group": group_of_row}).groupby("label")["group"]
    pictures, groups = numbers.size(), numbers.nunique()
    few = [
        f"{name!r}: {pictures[name]} pictures" + (f" in {groups[name]} groups" if groups[name] < pictures[name] else "")
        for name in natural_sort(groups.index[groups < count])
    ]
    if few:
        most = int(groups.min())
        advice = f"Give at most {most} folds, add" if most > 1 else "Add"
        raise DataError(
            f"{source}: classes that cannot be in each of {count} folds:\n{list_some(few)}\n"
            f"{advice} pictures of these classes, or leave them out."
        )
