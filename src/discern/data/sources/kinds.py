"""The kinds of files that list or hold pictures: what their names end in, and what reads them."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from discern.data.sources.archives import open_archived
from discern.data.sources.arrays import load_npz
from discern.data.sources.arrow_files import ARROW_SUFFIXES
from discern.data.sources.arrow_pictures import load_arrow, unpack_pictures
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.csv_file import load_csv
from discern.data.sources.json_lines import load_json
from discern.data.sources.text_list import load_text_list
from discern.data.sources.workbook import WORKBOOK_SUFFIXES, is_sheet, load_workbook
from discern.data.table import ImageTable, natural_key


class Kind(NamedTuple):
    """A kind of file; `load` takes the file, which columns to use, and whether every picture must have a label."""

    suffixes: tuple[str, ...]
    load: Callable[[Path, ColumnSettings, bool], ImageTable]
    lists_files: bool = True


KINDS = (
    Kind((".csv", ".tsv"), load_csv),
    Kind((".jsonl", ".ndjson", ".json"), load_json),
    Kind(WORKBOOK_SUFFIXES, load_workbook),
    Kind((".txt", ".lst"), load_text_list),
    Kind(ARROW_SUFFIXES, load_arrow),
    Kind((".npz",), lambda path, _, labelled: load_npz(path, labelled=labelled), lists_files=False),
)
SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)
_NO_TABLE = re.compile(r"\.|read.?me|licen[cs]e", re.IGNORECASE)
_KIND_BY_SUFFIX = {suffix: kind for kind in KINDS for suffix in kind.suffixes}


def find_kind(place: Path) -> Kind | None:
    """Return the kind of a file that lists or holds pictures, by its name; None for any other file."""
    return _KIND_BY_SUFFIX.get((place.parent if is_sheet(place) else place).suffix.lower())


def is_there(place: str | Path) -> bool:
    """Return whether there is a file, a folder or a sheet of a workbook; a name that is too long is none."""
    return os.path.exists(place) or is_sheet(Path(place))  # noqa: PTH110


def open_place(place: Path) -> Path:
    """Return where a source lies as files: itself, or what it was unpacked to.

    Raises:
        DataError: It cannot be unpacked.
        WriteError: There is no room for what is in it.
    """
    return unpack_pictures(open_archived(place))


def find_root(place: Path) -> Path:
    """Return the folder that the names of a source's pictures start from.

    Raises:
        DataError: It cannot be unpacked.
        WriteError: There is no room for what is in it.
    """
    opened = open_place(place)
    return next(one for one in (opened, *opened.parents) if one.is_dir())


def lists_files(place: Path) -> bool:
    """Return whether a source is a table with the names of picture files, rather than a folder or pictures."""
    kind = find_kind(place)
    return kind is not None and kind.lists_files and open_place(place).is_file()


def list_tables(folder: Path) -> list[Path]:
    """Return the files at the top of a folder that list or hold pictures; a single folder around all is entered."""
    inside = list(folder.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        return list_tables(inside[0])
    tables = [one for one in inside if find_kind(one) and one.is_file() and not _NO_TABLE.match(one.name)]
    return sorted(tables, key=lambda one: natural_key(one.name))
