"""Decisions about single pictures, from a CSV of the audit or of a review: dropped, relabelled or grouped."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.counts import count_of, is_are
from discern.data.names import match_names
from discern.data.sources.csv_file import read_cells
from discern.data.splitting.groups import chain_rows, join_groups
from discern.data.table import ImageTable, natural_sort
from discern.errors import DataError, list_some, name_some
from discern.files import compute_sha256

logger = logging.getLogger("discern")

ACTIONS = ("drop", "relabel", "group", "keep")
FIX_COLUMNS = ("path", "problem", "action", "value", "score", "reason")


class Fix(NamedTuple):
    """One row of a fixes file; `value` is the new label of a relabel, the name of a group, or empty."""

    path: str
    action: str
    value: str
    place: str
    """The file and row, for messages."""


class FixFile(NamedTuple):
    """A file of fixes as it was read."""

    path: Path
    sha256: str
    fixes: tuple[Fix, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what a run records of it."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "rows": dict(sorted(Counter(fix.action for fix in self.fixes).items())),
        }


class FixedTable(NamedTuple):
    """A table after its fixes: the ids that were dropped, and how many pictures each action changed."""

    table: ImageTable
    dropped: tuple[str, ...]
    counts: dict[str, int]


@dataclass
class _Decisions:
    """What happens to pictures, by row."""

    dropped: set[int] = field(default_factory=set)
    labels: dict[int, str] = field(default_factory=dict)
    groups: dict[int, list[str]] = field(default_factory=dict)

    def add(self, row: int, fix: Fix) -> None:
        """Replace an earlier decision: the last one applies, and `keep` cancels all others."""
        if fix.action == "group":
            self.groups.setdefault(row, []).append(fix.value)
            return
        self.dropped.discard(row)
        self.labels.pop(row, None)
        if fix.action == "drop":
            self.dropped.add(row)
        elif fix.action == "relabel":
            self.labels[row] = fix.value
        else:
            self.groups.pop(row, None)


def load_fixes(path: Path) -> FixFile:
    """Read a fixes file: the columns path and action, and value (or new, as a review of labels writes it).

    Raises:
        DataError: It cannot be read, an action is unknown, or a relabel or group has no value; all are listed.
    """
    cells = read_cells(path).map(str.strip)
    value_column = next((name for name in ("value", "new") if name in cells), None)
    if "path" not in cells or "action" not in cells or value_column is None:
        raise DataError(
            f"{path}: its columns are {name_some(list(map(str, cells.columns)))}; expected path, action and value (or "
            "new), as `discern audit` writes them."
        )
    rows = zip(cells["path"], cells["action"], cells[value_column], strict=True)
    fixes = [Fix(*row, place=f"row {number}") for number, row in enumerate(rows, start=1)]
    problems = list(_find_problems(fixes))
    if problems:
        raise DataError(f"{path}: rows that cannot be applied:\n{list_some(problems)}\nCorrect or remove them.")
    return FixFile(path, compute_sha256(path), tuple(fixes))


def apply_fixes(table: ImageTable, files: Sequence[FixFile]) -> FixedTable:
    """Return the table with pictures dropped, relabelled and grouped; no file of the user's is changed.

    A picture is named by its id, its path, or its path made absolute, also as another machine writes them. Of several
    decisions for one the last applies, and later files come after earlier ones; groups are added. What is decided of
    a picture that is gone has no effect, and is said in the log.

    Raises:
        DataError: A row names a picture that is there but not in the table, or no row names one of the table.
    """
    listed = [(fix, f"{file.path.name}, {fix.place}: {fix.path!r}") for file in files for fix in file.fixes]
    rows = _find_rows(table, [fix.path for fix, _ in listed])
    decisions, gone = _Decisions(), []
    for (fix, place), row in zip(listed, rows.tolist(), strict=True):
        if row < 0:
            gone.append((fix, place))
        else:
            decisions.add(row, fix)
    _check_gone(gone, len(rows), table.source)
    return _carry_out(table, decisions)


def _check_gone(gone: Sequence[tuple[Fix, str]], count: int, source: str) -> None:
    """Check that pictures which the fixes name, and the table does not have, were removed since."""
    there = [place for fix, place in gone if Path(fix.path).exists()]
    has_other_data = len(gone) == count and any(fix.action != "drop" for fix, _ in gone)
    if there or has_other_data:
        raise DataError(
            f"{source}: fixes for pictures that it does not have:\n{list_some(there or [place for _, place in gone])}\n"
            "Remove these rows, or give the data that the file was written for."
        )
    if gone:
        places = name_some([place for _, place in gone], shown=3)
        verb = is_are(len(gone))
        logger.warning("fixes for %s that %s gone: %s", count_of(len(gone), "picture"), verb, places)


def _find_problems(fixes: Iterable[Fix]) -> Iterable[str]:
    for fix in fixes:
        if not fix.path:
            yield f"{fix.place}: no path"
        elif fix.action not in ACTIONS:
            yield f"{fix.place}, {fix.path}: unknown action {fix.action!r}; there are {', '.join(ACTIONS)}"
        elif fix.action in ("relabel", "group") and not fix.value:
            yield f"{fix.place}, {fix.path}: {fix.action} without a {'label' if fix.action == 'relabel' else 'name'}"


def _find_rows(table: ImageTable, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the row of each name that a fix has for a picture; ids go before paths, and -1 stands for none."""
    ids, paths = (table.frame[name].tolist() for name in ("id", "path"))
    absolute = {os.path.abspath(path): row for row, path in enumerate(paths) if path}  # noqa: PTH100 - a million of them
    row_by_name = {
        **absolute,
        **{path: row for row, path in enumerate(paths) if path},
        **{name: row for row, name in enumerate(ids)},
    }
    exact = [row_by_name.get(name, row_by_name.get(os.path.abspath(name), -1)) for name in names]  # noqa: PTH100
    similar = match_names(names, row_by_name)
    known = np.array([*row_by_name.values(), -1], dtype=np.int64)
    rows = np.where(np.array(exact, dtype=np.int64) >= 0, exact, known[similar])
    return np.where(rows >= 0, rows, match_names(names, ids, ends=True))


def _carry_out(table: ImageTable, decisions: _Decisions) -> FixedTable:
    frame = table.frame
    labels = frame["label"].to_numpy(dtype=object, copy=True)
    relabelled = _spell(decisions.labels, table.class_names)
    relabelled = {row: label for row, label in relabelled.items() if labels[row] != label}
    new_classes = natural_sort(set(relabelled.values()) - set(table.class_names))
    if new_classes:
        logger.warning("labels that no picture had before the fixes: %s", name_some(new_classes))
    for row, label in relabelled.items():
        labels[row] = label
    frame = frame.assign(label=pd.Series(labels, dtype="str"))
    fixed = replace(table, frame=frame, class_names=natural_sort(frame["label"].dropna().unique()))
    fixed = _group(fixed, decisions.groups)
    kept = np.setdiff1d(np.arange(len(table)), np.array(sorted(decisions.dropped), dtype=np.int64))
    dropped = tuple(frame["id"].iloc[sorted(decisions.dropped)])
    grouped = len(set(decisions.groups) - decisions.dropped)
    counts = {"drop": len(dropped), "relabel": len(set(relabelled) - decisions.dropped), "group": grouped}
    return FixedTable(fixed.take(kept), dropped, counts)


def _spell(labels: Mapping[int, str], class_names: Sequence[str]) -> dict[int, str]:
    """Return labels in the spelling of the classes that they differ from in the Unicode form only."""
    places = match_names(labels.values(), class_names)
    return {
        row: label if place < 0 else class_names[place]
        for (row, label), place in zip(labels.items(), places.tolist(), strict=True)
    }


def _group(table: ImageTable, groups: Mapping[int, Sequence[str]]) -> ImageTable:
    """Join pictures of one name, and the groups that they had before."""
    if not groups:
        return table
    names = table.frame["group"].to_numpy(dtype=object, copy=True)
    for row, given in groups.items():
        names[row] = given[0] if pd.isna(names[row]) else names[row]
    table = replace(table, frame=table.frame.assign(group=pd.Series(names, dtype="str")))
    rows = np.array([row for row, given in groups.items() for _ in given], dtype=np.int64)
    codes, _ = pd.factorize(np.array([name for given in groups.values() for name in given], dtype=object))
    return join_groups(table, rows[chain_rows(codes)])
