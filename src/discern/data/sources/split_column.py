"""The column of a user's table that says which picture is for training, validation or test, found by what it holds."""

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from discern.data.table import SPLITS, parse_split
from discern.errors import DataError, Option, data_setting, list_some, name_some

logger = logging.getLogger("discern")

NO_SPLIT = "none"
"""What `data.split_column` is set to where no column is the split."""

_NAMES = (
    "split", "splits", "set", "dataset", "datasplit", "subset", "partition", "phase", "fold", "usage", "traintest",
    "trainvaltest", "trainvalidtest", "splitname", "setname",
)  # fmt: skip
_SPEAKS_OF_SPLIT = re.compile("split|partition|fold(?!er)|subset|holdout|heldout")
_SPLIT_IN_NAME = re.compile("train|valid|val|test")
_FLAG = re.compile(
    "(?:is|isin|in|for|usedfor|use|usefor)?"
    "(?P<split>train|training|val|valid|validation|dev|test|testing|holdout|heldout|eval)"
    "(?:set|split|image|picture|data|sample|flag)?"
)
_YES, _NO = ("true", "1", "yes", "y", "t"), ("false", "0", "no", "n", "f")
_YES_OR_NO = dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False)
_SHORT = {"tr": "train", "va": "validation", "te": "test", "ts": "test"}
"""Understood where a column holds nothing else, since they are codes of languages too."""
_OF_A_TEST = dict.fromkeys(("query", "gallery", "probe"), "test")
"""Parts of a test of recognition of persons; understood in a column that the user names."""
_FILE_NAME = re.compile(r"(?:.*[/\\])?(?P<stem>[^/\\]+)\.[A-Za-z]\w{1,7}")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
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
    """Return the columns whose names or cells speak of a split; those that do not say it clearly have a doubt.

    Clear are words for train, validation and test, and yes and no under a name such as is_test. `columns` are cells as
    text, by name.
    """
    found = (_read_column(name, cells) for name, cells in columns.items())
    return [column for column in found if column is not None]


def read_named_column(name: str, cells: "pd.Series[str]") -> SplitColumn:
    """Return the column that the user says is the split; it may also hold 0, 1 and 2, or names with such words."""
    values = set(cells.dropna())
    flagged = _find_flagged(name, values)
    if flagged is not None:
        return SplitColumn(name, cells, _read_flags(cells, flagged), flagged)
    return SplitColumn(name, cells, cells.map(_read_codes(name, values) or _read_words(values, _find_word)))


def join_split_columns(found: Sequence[SplitColumn], ids: "pd.Series[str]", source: str) -> "pd.Series[str] | None":
    """Return the split of each row, and say in the log where it comes from; None where no column says it.

    Raises:
        DataError: Cells are empty or say something else, or columns contradict each other.
    """
    used = [column for column in found if column.doubt is None]
    for column in found:
        if column.doubt is not None:
            logger.warning("%s: column %r %s; it is not used. %s", source, column.name, column.doubt, _advise(column))
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
    meanings = _read_words(values, _parse_clear)
    known = set(meanings.values()) - {None}
    splits = cells.map(meanings)
    if known and (_plain(name) in _NAMES or (None not in meanings.values() and len(known) > 1)):
        return SplitColumn(name, cells, splits)
    codes = _read_codes(name, values)
    if not (known or _is_doubtful(name, values)):
        return None
    doubt = f"holds {name_some(sorted(map(repr, values)), shown=5)}"
    if codes:
        doubt += f", which may stand for {', '.join(codes[value] for value in sorted(values))}"
    return SplitColumn(name, cells, splits, doubt=doubt)


def _is_doubtful(name: str, values: Collection[str]) -> bool:
    """Return whether the name of a column, or the words in its cells, speak of a split that they do not say clearly."""
    plain = _plain(name)
    if len(values) > 1 and (plain in _NAMES or _SPEAKS_OF_SPLIT.search(plain)):
        return True
    words = [word.casefold() for word in _WORD.findall(name)]
    is_named = any(parse_split(word) or word in _OF_A_TEST for word in words) or len(_SHORT.keys() & words) > 1
    if is_named and (_read_codes(name, values) or _read_yes_no(values)):
        return True
    is_of_a_test = any(value.casefold() in _OF_A_TEST for value in values)
    return is_of_a_test or len(set(_read_words(values, _find_word).values()) - {None}) > 1


def _read_words(values: Collection[str], read: Callable[[str], str | None]) -> dict[str, str | None]:
    """Return the split that each cell means by `read`; all may be short ones, such as tr and te."""
    short = {value: _SHORT.get(value.casefold()) for value in values}
    if "train" in short.values() and None not in short.values():
        return short
    return {value: read(value) for value in values}


def _parse_clear(value: str) -> str | None:
    """Return the split that a cell means as a word, or as the name of a file such as train.csv."""
    file = _FILE_NAME.fullmatch(value)
    return parse_split(file["stem"] if file else value)


def _find_word(value: str) -> str | None:
    """Return the only split that a cell, or words in it, mean: train for imagenet_train."""
    words = (parse_split(word) or _OF_A_TEST.get(word.casefold()) for word in _WORD.findall(value))
    found = {_parse_clear(value), *words} - {None}
    return found.pop() if len(found) == 1 else None


def _read_codes(name: str, values: Collection[str]) -> dict[str, str]:
    """Return the splits that 0, 1 and 2 mean, in the order that the name of the column has; empty for other cells."""
    words = [word.casefold() for word in _WORD.findall(name)]
    if _OF_A_TEST.keys() & words:
        return {}
    short = [_SHORT[word] for word in words if word in _SHORT]
    named = short or [split for word in _SPLIT_IN_NAME.findall(_plain(name)) if (split := parse_split(word))]
    order = named if len(set(named)) > 1 else SPLITS
    meanings = {code: split for place, split in enumerate(order) for code in (f"{place}", f"{place}.0")}
    return {value: meanings[value] for value in values} if set(values) <= meanings.keys() else {}


def _find_flagged(name: str, values: Collection[str]) -> str | None:
    """Return the split that a column of yes and no is about, by its name."""
    match = _FLAG.fullmatch(_plain(name))
    return parse_split(match["split"]) if match is not None and _read_yes_no(values) else None


def _read_yes_no(values: Collection[str]) -> dict[str, bool]:
    """Return which cells mean yes; empty where some are neither. Beside 1, -1 means no, and beside 0 it means yes."""
    folded = {value: value.casefold().removesuffix(".0") for value in values}
    known = _YES_OR_NO | {"-1": "1" not in folded.values()} if len(values) <= 2 else _YES_OR_NO
    return {value: known[text] for value, text in folded.items()} if set(folded.values()) <= known.keys() else {}


def _read_flags(cells: "pd.Series[str]", flagged: str) -> "pd.Series[str]":
    """Return the split that is flagged; for other rows the one that remains, which further columns may correct."""
    rest = "train" if flagged != "train" else "test"
    is_yes = _read_yes_no(cells.dropna().unique())
    return cells.map({cell: flagged if yes else rest for cell, yes in is_yes.items()})


def _doubt_flag(name: str, cells: "pd.Series[str]") -> str | None:
    """Return why a column of yes and no may be no split: `valid` can also mean that a row is in order."""
    if _plain(name).removeprefix("is") != "valid":
        return None
    is_yes = cells.dropna().map(_read_yes_no(cells.dropna().unique()))
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
        "Correct these cells; if the column is no split, set ",
        data_setting("split_column", NO_SPLIT),
        ", or name the one that is.",
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
                f"{len(ids)} pictures:\n{list_some(examples)}\nSet ",
                data_setting("split_column", columns[0].name),
                f" or another of them, or {NO_SPLIT} where neither is.",
            )


def _advise(column: SplitColumn) -> Option:
    """Return how to use a column that is doubtful, and how to say that it is no split."""
    if read_named_column(column.name, column.cells).splits.notna().all():
        named = data_setting("split_column", column.name)
        return Option(*(f"If it says the split, set {setting}, otherwise {NO_SPLIT}" for setting in named))
    otherwise = "If it says the split, write train, validation or test in its cells, otherwise set "
    return Option(*(otherwise + setting for setting in data_setting("split_column", NO_SPLIT)))


def _show_cells(columns: Sequence[SplitColumn], row: int) -> str:
    return ", ".join(f"{column.name} {column.cells.iloc[row]!r}" for column in columns)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
