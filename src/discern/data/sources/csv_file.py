"""Pictures listed in a CSV file or a DataFrame."""

import csv
import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.missing_labels import is_missing
from discern.data.sources.archives import open_archived
from discern.data.sources.cell_pictures import are_texts, check_cells, find_picture_column, take_pictures
from discern.data.sources.class_columns import join_class_columns
from discern.data.sources.columns import (
    MAX_TITLE_ROWS,
    ChosenColumns,
    ColumnSettings,
    check_title,
    choose_columns,
    list_label_candidates,
)
from discern.data.sources.encoding import advise_on_text, find_encoding
from discern.data.sources.header import check_header
from discern.data.sources.label_journal import resolve_journal
from discern.data.sources.name_pattern import read_names
from discern.data.sources.picture_files import find_files
from discern.data.sources.split_column import (
    NO_SPLIT,
    SplitColumn,
    find_split_columns,
    has_few_values,
    join_split_columns,
    read_named_column,
    warn_of_split_in_paths,
)
from discern.data.sources.unpacked import naming_as_given
from discern.data.table import ImageTable, build_table, check_unique, escape
from discern.errors import DataError, list_some, name_some

_MAX_SHARED_CELLS = 10_000
_DECLARED_SEPARATOR = re.compile(r"sep=(.)\s*", re.IGNORECASE)


def load_csv(path: Path, settings: ColumnSettings, labelled: bool) -> ImageTable:
    """Load the table that a CSV file lists.

    Every cell is text as written (`007` stays `007`, a class may be called `NA`); only an empty cell is missing. Of the
    labels.csv that `discern label` writes, the labels that hold count; see `resolve_journal`.

    Raises:
        DataError: The file, its columns or its rows cannot be used.
    """
    cells = resolve_journal(read_cells(path), str(path))
    return load_frame(cells, settings, folder=path.parent, source=str(path), labelled=labelled)


def read_cells(path: Path, *, only: Collection[str] | None = None) -> pd.DataFrame:
    """Read a CSV file, or `only` these of its columns, as text.

    The file is UTF-8, or UTF-16 with its mark. Cells are separated by what a first line such as `sep=;` says, as
    spreadsheets do, or else by comma, semicolon or tab, whichever occurs most in the first line, or by `|` where none
    does.
    A row that is too short ends in empty cells. A column without a name is called by its place, such as `column 3`.

    Raises:
        DataError: The file is no CSV as expected, or has rows with more cells than columns; all are listed.
    """
    line = 0
    try:
        with path.open(encoding=find_encoding(path), newline="") as file:
            separator, lines_above = _choose_separator(file)
            reader = csv.reader(file, delimiter=separator, strict=True)
            rows = filter(None, reader)
            header: list[str] = next(rows, [])
            line = reader.line_num + lines_above
            names = [name.strip() or f"column {place}" for place, name in enumerate(header, start=1)]
            kept = [only is None or name in only for name in names]
            columns: list[list[str]] = [[] for name in compress(names, kept)]
            long, begin = [], [header]
            shared: dict[str, str] = {}  # equal cells share their memory: a class is named in every row
            for row in rows:
                line = reader.line_num + lines_above
                if len(begin) < MAX_TITLE_ROWS:
                    begin.append(row.copy())
                if len(row) > len(names):
                    long.append(f"line {line}: {len(row)} cells, {separator.join(row)[:80]!r}")
                row += [""] * (len(names) - len(row))
                for column, cell in zip(columns, compress(row, kept), strict=True):
                    column.append(shared.setdefault(cell, cell))
                if len(shared) > _MAX_SHARED_CELLS:
                    shared.clear()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        advice = advise_on_text(path, error) or _advise_on_quotes(error, line)
        raise DataError(f"{path}: not readable as CSV in UTF-8: {error}.{advice}") from error
    if not names:
        raise DataError(f"{path}: empty; expected a line of column names and one row per picture.")
    check_title([[cell.strip() for cell in row] for row in begin], str(path))
    if long:
        raise DataError(
            f"{path}: rows with more cells than the {len(names)} columns {name_some(names)}:\n{list_some(long)}\n"
            f"Remove the extra cells, or put a cell that holds {separator!r} in double quotes."
        )
    return pd.DataFrame(dict(enumerate(columns)), dtype="object").set_axis(list(compress(names, kept)), axis="columns")


def find_separator(path: Path) -> str:
    """Return what separates the cells of a CSV file that `read_cells` can read."""
    with path.open(encoding=find_encoding(path), newline="") as file:
        return _choose_separator(file)[0]


def _choose_separator(file: TextIO) -> tuple[str, int]:
    """Return what separates the cells, and how many lines say so, behind which the file is read on."""
    first = file.readline()
    declared = _DECLARED_SEPARATOR.fullmatch(first)
    if declared:
        return declared[1], 1
    file.seek(0)
    separator = max(",;\t", key=first.count)
    return separator if separator in first or "|" not in first else "|", 0


def _advise_on_quotes(error: Exception, line: int) -> str:
    if not isinstance(error, csv.Error):
        return ""
    return (
        f" Look from line {line + 1} on for a cell that begins with a double quote and does not end with one; a quote "
        "within such a cell is written twice."
    )


def load_frame(
    frame: pd.DataFrame,
    settings: ColumnSettings,
    *,
    folder: Path,
    source: str,
    labelled: bool,
    may_repeat: bool = False,
) -> ImageTable:
    """Load the table that a DataFrame lists; `folder` is where picture names start when no `image_root` is set.

    Arrays and PIL pictures in the cells are pictures in memory, called by their row. Where files `may_repeat`, as in a
    sample drawn with replacement, the rows of one are a group, and the later ones are called `a.png#2`.

    A picture's id is its name as the user wrote it; a column of ids beside it is kept as `own_id`. A name without
    extension is looked up in its folder. A file that is missing keeps its row, to be found by the check of the
    pictures. Blanks around a cell do not count.

    Raises:
        DataError: Columns or rows cannot be used, or not one of the pictures exists.
    """
    names = [str(name) for name in frame.columns]
    given_root = Path(settings.image_root or folder).expanduser()
    root = open_archived(given_root)
    check_header(names, root, source)
    _check_different(names, source)
    raw = {name: cells for name, (_, cells) in zip(names, frame.reset_index(drop=True).items(), strict=True)}
    if settings.image_column is None:
        settings = replace(settings, image_column=find_picture_column(raw))
    found = _find_split(raw, settings) if labelled else []
    splits = [column.name for column in found if column.doubt is None]
    if labelled:
        raw = join_class_columns(raw, list_label_candidates(names, settings, splits), source)
    columns = choose_columns(list(raw), settings, labelled=labelled, source=source, split_columns=splits)
    used = dict.fromkeys((columns.image, columns.label, columns.group, *columns.own_ids))
    for name in (columns.label, columns.group):
        if name is not None:
            check_single(raw[name], f"{source}: column {name!r}")
    check_cells(raw[columns.image], columns.image, source)
    arrays, places = take_pictures(raw[columns.image])
    raw[columns.image] = _name_rows(raw[columns.image], places)
    text = pd.DataFrame({name: _strip(as_text(raw[name])) for name in used if name is not None})
    ids = text[columns.image]
    _check_filled(ids, columns.image, source)
    cells = {"id": ids.tolist()}
    split = join_split_columns([column for column in found if column.name not in used], ids, source)
    if split is not None:
        cells["split"] = split.tolist()
    elif labelled and settings.split_column is None:
        warn_of_split_in_paths(cells["id"], source)
    if columns.label is not None and not settings.keep_nan:
        text[columns.label] = text[columns.label].where(~text[columns.label].map(is_missing))
    kinds = {"label": columns.label, "group": columns.group, "own_id": _choose_own_id(text, columns)}
    cells |= {kind: text[name].tolist() for kind, name in kinds.items() if name}
    if settings.label_pattern is not None:
        cells |= read_names(cells["id"], settings.label_pattern, source)
    suffix = settings.image_suffix or ""
    suffix = f".{suffix}" if suffix.isalnum() else suffix
    with naming_as_given(given_root, root):
        paths = _find_paths(cells["id"], places, root, suffix, source)
    if may_repeat:
        cells = _number_repeated(cells, paths)
    else:
        plain = [os.path.normpath(path) if ".." in path else path for path in paths if path]
        check_unique(pd.Series(plain, dtype="object"), f"{source}: the same file")
    return build_table({**cells, "path": paths}, arrays=arrays, array_index=places, source=source)


def _name_rows(cells: "pd.Series[Any]", places: npt.NDArray[np.int64]) -> "pd.Series[Any]":
    """Return the cells with the number of its row in place of each picture in memory."""
    if (places < 0).all():
        return cells
    return pd.Series(
        [str(row) if place >= 0 else cell for row, (cell, place) in enumerate(zip(cells, places, strict=True))],
        dtype="object",
    )


def _find_paths(names: Sequence[str], places: npt.NDArray[np.int64], root: Path, suffix: str, source: str) -> list[str]:
    """Return the path of each file, and empty text for a picture in memory."""
    if (places < 0).all():
        return find_files(names, root, suffix, source)
    paths = [""] * len(names)
    rows = np.flatnonzero(places < 0).tolist()
    if rows:
        for row, path in zip(rows, find_files([names[row] for row in rows], root, suffix, source), strict=True):
            paths[row] = path
    return paths


def _number_repeated(cells: Mapping[str, list[Any]], paths: Sequence[str]) -> dict[str, list[Any]]:
    """Return the cells with an id for each row, and a group for the rows of one file."""
    counts = Counter(path for path in paths if path)
    seen: Counter[str] = Counter()
    ids, groups = [], []
    for name, path in zip(cells["id"], paths, strict=True):
        seen[path] += 1
        is_repeated = counts[path] > 1
        ids.append(f"{name}#{seen[path]}" if is_repeated and seen[path] > 1 else name)
        groups.append(path if is_repeated else None)
    repeated = {"id": ids, "group": groups} if max(counts.values(), default=0) > 1 else {}
    return {**cells, **repeated}


def as_text(cells: "pd.Series[Any]") -> "pd.Series[str]":
    """Return cells as text; whole numbers that became floats for the sake of a missing one lose their `.0`.

    Bytes are read as UTF-8; others are escaped.
    """
    are_whole = pd.api.types.is_float_dtype(cells) and (cells.dropna() % 1 == 0).all()

    def write(cell: object) -> str:
        if isinstance(cell, bytes):
            return escape(cell.decode("utf-8", "surrogateescape"))
        return str(int(cell)) if are_whole else escape(str(cell))  # type: ignore[call-overload]

    return cells.astype("object").map(write, na_action="ignore").astype("str")


def check_single(cells: "pd.Series[Any]", what: str) -> None:
    """Check that each cell holds one value, and no list, array or the like.

    Raises:
        DataError: Some hold several; `what` names the column.
    """
    if are_texts(cells):
        return
    rows = [f"row {row}: {type(cell).__name__}" for row, cell in enumerate(cells, start=1) if not _is_single(cell)]
    if rows:
        raise DataError(
            f"{what} holds cells that are no text or number, in {len(rows)} of {len(cells)} rows:\n{list_some(rows)}\n"
            "Write one class into each cell: cells.map(lambda cell: cell[0]) takes the only element of a list, "
            "cells.map(lambda row: int(np.argmax(row))) the class of a one-hot row, "
            "cells.map(lambda cell: cell.item()) that of a tensor."
        )


def _is_single(cell: object) -> bool:
    return pd.api.types.is_scalar(cell) and (isinstance(cell, np.generic) or not hasattr(cell, "shape"))


def _strip(cells: "pd.Series[str]") -> "pd.Series[str]":
    stripped = cells.str.strip()
    return stripped.where(stripped != "")


def _check_different(names: Sequence[str], source: str) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{source}: several columns are called {name_some(list(map(repr, repeated)))}. "
            f"Its columns are {name_some(names)}. Rename or remove all but one."
        )


def _check_filled(cells: "pd.Series[str]", column: str, source: str) -> None:
    empty = [str(row) for row, is_empty in enumerate(cells.isna(), start=1) if is_empty]
    if len(cells) == 0:
        raise DataError(f"{source}: no rows. Expected one row per picture.")
    if empty:
        raise DataError(
            f"{source}: column {column!r} is empty in the rows\n{list_some(empty)}\nFill them or remove them."
        )


def _choose_own_id(text: pd.DataFrame, columns: ChosenColumns) -> str | None:
    """Return the first column named like an id that has another one for each picture."""
    return next((name for name in columns.own_ids if text[name].notna().all() and text[name].is_unique), None)


def _find_split(raw: Mapping[str, "pd.Series[Any]"], settings: ColumnSettings) -> list[SplitColumn]:
    """Return the columns that may say the split; none where the user says that none does."""
    if settings.split_column is not None and settings.split_column in raw:
        return [read_named_column(settings.split_column, _strip(as_text(raw[settings.split_column])))]
    if settings.split_column == NO_SPLIT:
        return []
    taken = {settings.image_column, settings.label_column, settings.group_column}
    few = {name: cells for name, cells in raw.items() if name not in taken and has_few_values(cells)}
    return find_split_columns({name: _strip(as_text(cells)) for name, cells in few.items()})
