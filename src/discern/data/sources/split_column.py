"""The column of a user's table that says which picture is for training, validation or test, found by what it holds."""

import logging
import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from discern.data.table import SPLITS, parse_split
from discern.errors import DataError, list_some, name_some

logger = logging.getLogger("discern")

NO_SPLIT = "none"
"""What `data.split_column` is set to where no column is the split."""

_NAMES = (
    "split", "splits", "set", "dataset", "datasplit", "subset", "partition", "phase", "fold", "usage", "traintest",
    "trainvaltest", "trainvalidtest", "splitname", "setname",
)  # fmt: skip
_SURELY_SPLIT = ("split", "splits", "partition", "fold", "datasplit", "splitname")
_FLAG = re.compile(
    "(?:is|isin|in|for|usedfor|use|usefor)?(?P<split>train|training|val|valid|validation|dev|test|testing|holdout|eval)"
    "(?:set|split|image|picture|data|sample|flag)?"
)
_YES, _NO = ("true", "1", "1.0", "yes", "y", "t"), ("false", "0", "0.0", "no", "n", "f")
_YES_OR_NO = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
_CODES = dict(zip(("0", "1", "2", "0.0", "1.0", "2.0"), SPLITS * 2, strict=True))
_MAX_VALUES = 50
_LOOKED_AT = 1000


class SplitColumn(NamedTuple):
    """A column that may say the split.

    `splits` has a split for each row, None where a cell says none; `flagged` is the split that a column of yes and no
    is about; `doubt` is why the column is not used unless the user names it.
    """

    name: str
    cells: "pd.Series[str]"
    splits: "pd.Series[str]"
    flagged: str | None = None
    doubt: str | None = None


def has_few_values(cells: "pd.Series[Any]") -> bool:
    """Return whether a column, as the user has it, holds so few values that it may be a split."""
    try:
        return cells.head(_LOOKED_AT).nunique() <= _MAX_VALUES and cells.nunique() <= _MAX_VALUES
    except TypeError:  # cells that are lists or arrays
        return False


def find_split_columns(columns: Mapping[str, "pd.Series[str]"]) -> list[SplitColumn]:
    """Return the columns that hold words for train, validation and test, or yes and no under a name such as is_test.

    `columns` are cells as text, by name.
    """
    found = (_read_column(name, cells) for name, cells in columns.items())
    return [column for column in found if column is not None]


def read_named_column(name: str, cells: "pd.Series[str]") -> SplitColumn:
    """Return the column that the user says is the split; it may also hold 0, 1 and 2."""
    values = set(cells.dropna())
    flagged = _find_flagged(name, values)
    if flagged is not None:
        return SplitColumn(name, cells, _read_flags(cells, flagged), flagged)
    meanings = _CODES if values <= _CODES.keys() else {cell: parse_split(cell) for cell in values}
    return SplitColumn(name, cells, cells.map(meanings))


def join_split_columns(found: Sequence[SplitColumn], ids: "pd.Series[str]", source: str) -> "pd.Series[str] | None":
    """Return the split of each row, and say in the log where it comes from; None where no column says it.

    Raises:
        DataError: Cells are empty or say something else, or columns contradict each other.
    """
    used = [column for column in found if column.doubt is None]
    for column in found:
        if column.doubt is not None:
            logger.warning(
                "%s: column %r %s; it is not used. If it says the split, set data.split_column=%s, otherwise %s",
                *(source, column.name, column.doubt, shlex.quote(column.name), NO_SPLIT),
            )
    if not used:
        return None
    for column in used:
        _check_filled(column, ids, source)
    words = [column for column in used if column.flagged is None]
    splits = words[0].splits if words else _join_flags(used)
    _check_agreement(used, splits, ids, source)
    counts = splits.value_counts()
    logger.info(
        "%s: the split is that of column %s: %s",
        source,
        " and ".join(repr(column.name) for column in used),
        ", ".join(f"{counts[split]} {split}" for split in SPLITS if split in counts),
    )
    return splits


def warn_of_split_in_paths(ids: Sequence[str], source: str) -> None:
    """Warn where the names of all pictures go through folders such as train and test, which no column repeats."""
    parts = re.split(r"[/\\]", ids[0])[:-1]
    for place, part in enumerate(parts):
        if parse_split(part) is None:
            continue
        folders = {name[place] for name in (re.split(r"[/\\]", name) for name in ids) if len(name) > place + 1}
        if len(folders) > 1 and all(map(parse_split, folders)):
            logger.warning(
                "%s: the pictures lie in folders %s, but no column says the split, so it is drawn anew. To keep "
                "theirs, add a column named split",
                *(source, name_some(sorted(folders))),
            )
            return


def _read_column(name: str, cells: "pd.Series[str]") -> SplitColumn | None:
    values = set(cells.dropna().unique())
    flagged = _find_flagged(name, values)
    if flagged is not None:
        return SplitColumn(name, cells, _read_flags(cells, flagged), flagged, _doubt_flag(name, cells))
    meanings = {value: parse_split(value) for value in values}
    splits = cells.map(meanings)
    known = {split for split in meanings.values() if split is not None}
    shown = f"holds {name_some(sorted(map(repr, values)), shown=5)}"
    if values <= _CODES.keys():
        shown += f", which may stand for {', '.join(SPLITS)}"
    if not known:
        return SplitColumn(name, cells, splits, doubt=shown) if values and _plain(name) in _SURELY_SPLIT else None
    if _plain(name) in _NAMES or (None not in meanings.values() and len(known) > 1):
        return SplitColumn(name, cells, splits)
    return SplitColumn(name, cells, splits, doubt=shown) if splits.notna().mean() >= 0.5 else None


def _find_flagged(name: str, values: Collection[str]) -> str | None:
    """Return the split that a column of yes and no is about, by its name."""
    match = _FLAG.fullmatch(_plain(name))
    is_flag = bool(values) and all(value.casefold() in _YES_OR_NO for value in values)
    return parse_split(match["split"]) if match is not None and is_flag else None


def _read_flags(cells: "pd.Series[str]", flagged: str) -> "pd.Series[str]":
    """Return the split that is flagged; for other rows the one that remains, which further columns may correct."""
    rest = "train" if flagged != "train" else "test"
    return cells.map({cell: flagged if _YES_OR_NO[cell.casefold()] else rest for cell in cells.dropna().unique()})


def _doubt_flag(name: str, cells: "pd.Series[str]") -> str | None:
    """Return why a column of yes and no may be no split: `valid` can also mean that a row is in order."""
    if _plain(name).removeprefix("is") != "valid":
        return None
    is_yes = cells.dropna().map(lambda cell: _YES_OR_NO[cell.casefold()])
    if _plain(name) == "isvalid" and is_yes.mean() <= 0.5:
        return None
    return f"is true for {int(is_yes.sum())} of {len(cells)} pictures and may mean validation or that a row is in order"


def _join_flags(columns: Sequence[SplitColumn]) -> "pd.Series[str]":
    """Return the split whose column says yes; where none does, the one that has no column."""
    flagged = {column.flagged for column in columns}
    rest = next((split for split in ("train", "test", "validation") if split not in flagged), None)
    splits = pd.Series(rest, index=columns[0].splits.index, dtype="str")
    for column in columns:
        splits = splits.where(column.splits != column.flagged, column.flagged)
    return splits


def _check_filled(column: SplitColumn, ids: "pd.Series[str]", source: str) -> None:
    is_unknown = column.splits.isna()
    if not is_unknown.any():
        return
    unknown = zip(ids[is_unknown], column.cells[is_unknown].fillna(""), strict=True)
    raise DataError(
        f"{source}: column {column.name!r} holds something else than train, validation or test for "
        f"{is_unknown.sum()} of {len(ids)} pictures:\n{list_some([f'{name}: {cell!r}' for name, cell in unknown])}\n"
        f"Correct these cells; if the column is no split, set data.split_column={NO_SPLIT}, or to the one that is."
    )


def _check_agreement(
    columns: Sequence[SplitColumn], splits: "pd.Series[str]", ids: "pd.Series[str]", source: str
) -> None:
    """Check that each column says of each row what all together say."""
    for column in columns:
        if column.flagged is None:
            differs = column.splits != splits
        else:
            differs = (column.splits == column.flagged) != (splits == column.flagged)
        rows = np.flatnonzero(differs | splits.isna())
        if len(rows):
            named = " and ".join(repr(each.name) for each in columns)
            examples = [f"{ids.iloc[row]}: {_show_cells(columns, row)}" for row in rows.tolist()]
            raise DataError(
                f"{source}: the columns {named} could each be the split, but say different things of {len(rows)} of "
                f"{len(ids)} pictures:\n{list_some(examples)}\n"
                f"Set data.split_column to one of them, or to {NO_SPLIT} where neither is."
            )


def _show_cells(columns: Sequence[SplitColumn], row: int) -> str:
    return ", ".join(f"{column.name} {column.cells.iloc[row]!r}" for column in columns)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
