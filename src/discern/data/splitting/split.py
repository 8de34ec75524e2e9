"""Train, validation and test: stratified, seeded, and the same whatever the order of the files."""

import csv
import os
import zlib
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.names import match_names, name_key
from discern.data.sources.csv_file import read_cells
from discern.data.splitting.grouped_split import assign_groups, check_groups
from discern.data.table import SPLITS, ImageTable, natural_sort, parse_split
from discern.errors import ConfigError, DataError, Option, data_setting, list_some, name_some
from discern.files import replacing

Fractions = tuple[float, float, float]
_MAX_REMARKS = 5
_COLUMNS = ["id", "path", "label", "split"]


def split_table(table: ImageTable, *, fractions: Fractions, seed: int) -> tuple[ImageTable, tuple[str, ...]]:
    """Fill the column `split`, by fractions for (train, validation, test), and return remarks for the log.

    Where the user gave no splits, each class is divided by the fractions, rounded, with at least one picture on each
    side when it has three or more. Of two pictures one goes to train and one to validation; a single one is trained
    on. The user's own split stays: only a missing validation is taken, from train, in the proportion of the first
    two fractions; a missing test stays missing. Pictures of one group stay together, and then the fractions hold only
    roughly. The outcome depends on the seed and on ids, labels and groups, not on the order of rows.

    Raises:
        ConfigError: The fractions are negative, leave nothing to train on or do not add up to 1.
        DataError: No pictures, pictures without a label or only partly split, fewer than two classes in train, a class
            that train lacks, or a group on two sides of the user's own split.
    """
    _check_fractions(fractions)
    _check_pictures(table)
    splits = table.frame["split"]
    if splits.isna().all():
        _check_classes_repeat(table, fractions)
        return _finish(_divide(table, np.arange(len(table)), fractions, seed))
    _check_split_by_user(table)
    train, validation, _ = fractions
    if (splits == "validation").any() or validation == 0:
        return _finish(table)
    share = validation / (train + validation)
    trained = np.flatnonzero(splits == "train")
    table, remarks = _finish(_divide(table, trained, (1 - share, share, 0.0), seed))
    taken = len(table.select("validation"))
    said = (f"there was no validation split, so {taken} of {len(trained)} pictures of train became it",)
    return table, (said if taken else ()) + remarks


def save_split(table: ImageTable, path: Path, *, root: str | None = None) -> None:
    """Write the split as CSV with the columns `id`, `path`, `label` and `split`; paths below `root` start from it."""
    columns = {name: table.frame[name].fillna("").tolist() for name in _COLUMNS}
    beginning = "" if root is None else os.path.join(root, "")  # noqa: PTH118 - with the separator at the end
    columns["path"] = [path.removeprefix(beginning) for path in columns["path"]]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(chain([_COLUMNS], zip(*columns.values(), strict=True)))


def apply_split(table: ImageTable, path: Path, *, dropped: Collection[str] = ()) -> ImageTable:
    """Return the table with the split that `save_split` or the user wrote, joined by id; classes are those of train.

    Ids that were `dropped` from the table may stand in the file.

    Raises:
        DataError: The file cannot be read, its ids, labels or splits do not fit the table (all are listed), or the
            split is none that `split_table` would accept.
    """
    saved = _read_split(path)
    rows = match_names(saved["id"], table.frame["id"], ends=True)
    problems = _find_misfits(table, saved, rows, path.name, dropped)
    if problems:
        raise DataError(
            f"{path} does not fit {table.source}:\n{list_some(problems)}\n"
            "Every picture needs one row: id, label, and train, validation or test. Correct it, or split again."
        )
    _check_pictures(table)
    splits = pd.Series(None, index=table.frame.index, dtype="object")
    splits.iloc[rows[rows >= 0]] = _parse_splits(saved["split"]).to_numpy(dtype=object)[rows >= 0]
    table = replace(table, frame=table.frame.assign(split=splits.astype("str")))
    _check_split_by_user(table)
    return _finish(table)[0]


def _find_misfits(
    table: ImageTable, saved: pd.DataFrame, rows: npt.NDArray[np.int64], file: str, dropped: Collection[str]
) -> list[str]:
    """Say in which rows a saved split and a table disagree; `rows` are those of the saved ids, -1 for none."""
    ids, saved_ids = table.frame["id"], saved["id"]
    is_known = rows >= 0
    misfits = [f"{name}: not in {file}" for name in natural_sort(ids.drop(rows[is_known]))]
    is_strange = ~is_known & (match_names(saved_ids, dropped, ends=True) < 0)
    misfits += [f"{name}: not in {table.source}" for name in natural_sort(set(saved_ids[is_strange]))]
    is_repeated = saved_ids.duplicated() | (is_known & pd.Series(rows, index=saved.index).duplicated())
    misfits += [f"{name}: twice in {file}" for name in natural_sort(saved_ids[is_repeated])]
    odd = saved[_parse_splits(saved["split"]).isna()]
    misfits += [f"{row.id}: split {row.split!r}" for row in odd.itertuples()]
    both = saved[is_known].assign(known=table.frame["label"].array[rows[is_known]], row=rows[is_known])
    known, given = (both[name].fillna("").str.strip().map(name_key) for name in ("known", "label"))
    moved = both[known != given].sort_values("row", kind="stable")
    return misfits + [f"{row.id}: label {row.known!r}, but {row.label!r} in {file}" for row in moved.itertuples()]


def _parse_splits(cells: "pd.Series[str]") -> "pd.Series[str]":
    return cells.map({cell: parse_split(cell) for cell in cells.unique()})


def _divide(table: ImageTable, rows: npt.NDArray[np.int64], fractions: Fractions, seed: int) -> ImageTable:
    """Assign these rows again; the others stay."""
    part = table.frame.iloc[rows].sort_values("id")
    places = np.full(len(part), -1, dtype=np.int64)
    is_grouped = part["group"].notna().to_numpy() & part["group"].duplicated(keep=False).to_numpy()
    if is_grouped.any():
        places[is_grouped] = assign_groups(part, fractions, seed)[is_grouped]
    _fill_by_class(places, part, fractions, seed)
    splits = table.frame["split"].astype("object")
    splits.loc[part.index] = np.array(SPLITS, dtype=object)[places]
    return replace(table, frame=table.frame.assign(split=splits.astype("str")))


def _fill_by_class(places: npt.NDArray[np.int64], frame: pd.DataFrame, fractions: Fractions, seed: int) -> None:
    """Place the rows that are at -1, of a frame that is sorted by id, so that each class gets its numbers."""
    for label, rows in frame.groupby("label").indices.items():
        rng = np.random.default_rng((seed, zlib.crc32(str(label).encode())))
        held_out = _count_held_out(len(rows), fractions)
        lone = rng.permutation(rows[places[rows] < 0])
        placed = np.bincount(places[rows][places[rows] >= 0], minlength=len(SPLITS))
        free = len(lone) - (placed[0] == 0)
        num_validation = min(max(0, held_out[0] - placed[1]), max(0, free))
        num_test = min(max(0, held_out[1] - placed[2]), max(0, free - num_validation))
        places[lone] = 0
        places[lone[:num_validation]] = 1
        places[lone[num_validation : num_validation + num_test]] = 2


def _count_held_out(count: int, fractions: Fractions) -> tuple[int, int]:
    """Return how many of a class's pictures go to validation and test."""
    _, validation, test = fractions
    if count == 1:
        return 0, 0
    if count == 2:
        return (1, 0) if validation else (0, int(test > 0))
    num_validation = max(1, round(count * validation)) if validation else 0
    num_test = max(1, round(count * test)) if test else 0
    while num_validation + num_test >= count:
        num_validation, num_test = (
            (num_validation - 1, num_test) if num_validation > num_test else (num_validation, num_test - 1)
        )
    return num_validation, num_test


def _finish(table: ImageTable) -> tuple[ImageTable, tuple[str, ...]]:
    """Take the classes from train, check the other splits against them and remark on classes with few pictures."""
    counts: Counter[Hashable] = Counter(table.frame[["label", "split"]].value_counts().to_dict())
    names = natural_sort(table.frame["label"].unique())
    strange = [f"{name!r}: {_count_text(counts, name)}" for name in names if not counts[name, "train"]]
    if strange:
        raise DataError(
            f"{table.source}: classes without a picture in train:\n{list_some(strange)}\n"
            "They could never be predicted: move some of their pictures to train, or leave them out."
        )
    if len(names) < 2:
        is_folder = Path(table.source).is_dir()
        raise DataError(
            f"{table.source}: one class only, {names[0]!r}. A classifier needs two or more classes"
            f"{'; where the names of the files hold them, give the folder of the files itself' * is_folder}."
        )
    remarks = _remark_on_classes({name: "" for name in table.class_names if name not in set(names)}, "pictures left")
    for split in SPLITS[1:]:
        if not any(counts[name, split] for name in names):
            remarks.append(f"there is no {split} split")
            continue
        missing = {name: f" ({_count_text(counts, name)})" for name in names if not counts[name, split]}
        remarks += _remark_on_classes(missing, f"picture in {split}")
    return replace(table, class_names=names), tuple(remarks)


def _remark_on_classes(notes: Mapping[str, str], lack: str) -> list[str]:
    """Return a remark for each of a few classes, or one for all of many; `notes` say more, by class."""
    if len(notes) <= _MAX_REMARKS:
        return [f"class {name!r} has no {lack}{note}" for name, note in notes.items()]
    examples = name_some([f"{name!r}{note}" for name, note in notes.items()], shown=_MAX_REMARKS)
    return [f"{len(notes)} classes have no {lack}: {examples}"]


def _check_classes_repeat(table: ImageTable, fractions: Fractions) -> None:
    """Check that some class has two pictures where a part of the pictures is to be kept apart."""
    if max(fractions[1:]) > 0 and len(table) > 2 and table.frame["label"].is_unique:
        raise DataError(
            f"{table.source}: each of its {len(table)} pictures has a class of its own: "
            f"{name_some(list(map(repr, table.class_names)), shown=5)}. Nothing could be validated. If the labels are "
            "elsewhere, say where with ",
            data_setting("label_column"),
            " or ",
            data_setting("label_pattern"),
            "; if these are the classes, train on all pictures with ",
            Option("'data.split=[1,0,0]'", "split=[1, 0, 0]"),
            ".",
        )


def _count_text(counts: Counter[Hashable], name: str) -> str:
    return ", ".join(f"{counts[name, split]} in {split}" for split in SPLITS if counts[name, split])


def _check_fractions(fractions: Sequence[float]) -> None:
    if len(fractions) != 3 or min(fractions) < 0 or fractions[0] == 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ConfigError(
            f"The split is {tuple(fractions)}; expected three fractions for train, validation and test "
            "that add up to 1, the first above 0."
        )


def _check_pictures(table: ImageTable) -> None:
    if not len(table):
        raise DataError(f"{table.source}: no picture is left. Repair those that were left out, or add others.")
    unlabelled = list(table.frame["id"][table.frame["label"].isna()])
    if unlabelled:
        raise DataError(
            f"{table.source}: {len(unlabelled)} of {len(table)} pictures have no label:\n{list_some(unlabelled)}\n"
            "Label them or leave them out."
        )


def _check_split_by_user(table: ImageTable) -> None:
    splits = table.frame["split"]
    partly = list(table.frame["id"][splits.isna()])
    if partly:
        raise DataError(
            f"{table.source}: {len(partly)} of {len(table)} pictures are in no split, the others are:\n"
            f"{list_some(partly)}\nGive all of them a split, or none."
        )
    if not (splits == "train").any():
        found = name_some(sorted(splits.unique()))
        raise DataError(
            f"{table.source}: no picture is in train; found {found}. Training needs pictures of that split."
        )
    check_groups(table.frame, table.source)


def _read_split(path: Path) -> pd.DataFrame:
    needed = ("id", "label", "split")
    saved = read_cells(path, only=needed)
    missing = [name for name in needed if name not in saved]
    if missing:
        raise DataError(f"{path}: has no column {', '.join(missing)}; expected {', '.join(_COLUMNS)}.")
    return saved
