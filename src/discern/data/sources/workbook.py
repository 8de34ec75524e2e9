"""Pictures listed in a sheet of an .xlsx workbook."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import pandas as pd

from discern.data.sources.columns import MAX_TITLE_ROWS, ColumnSettings, check_title
from discern.data.sources.csv_file import load_frame
from discern.data.table import ImageTable
from discern.errors import DataError, install_command, name_some

logger = logging.getLogger("discern")

WORKBOOK_SUFFIXES = (".xlsx", ".xlsm")
_DAMAGED = (BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError)


def is_sheet(place: Path) -> bool:
    """Return whether a place names a sheet, as in labels.xlsx/Birds."""
    return place.parent.suffix.lower() in WORKBOOK_SUFFIXES and os.path.isfile(place.parent)  # noqa: PTH113


def load_workbook(place: Path, settings: ColumnSettings, labelled: bool) -> ImageTable:
    """Load the table in the first sheet of a workbook, or in the one that is named, as in labels.xlsx/Birds.

    Its first row that is not empty has the names of the columns; empty rows do not count.

    Raises:
        DataError: openpyxl is not installed, or the workbook, its columns or its rows cannot be used.
    """
    file, sheet = (place.parent, place.name) if is_sheet(place) else (place, None)
    frame = _read_sheet(file, sheet)
    return load_frame(frame, settings, folder=file.parent, source=str(place), labelled=labelled)


def _read_sheet(file: Path, sheet: str | None) -> pd.DataFrame:
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise DataError(f"{file}: workbooks are read by the package openpyxl: {install_command('tables')}") from None
    try:
        # What openpyxl warns of, such as conditional formats that it does not know, says nothing about the cells.
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            chosen = _choose_sheet(file, book.sheetnames, sheet)
            book[chosen].reset_dimensions()  # which some programs write wrongly
            rows = list(_list_rows(book[chosen].iter_rows(values_only=True)))
            book.close()
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        raise DataError(f"{file}: not readable as a workbook: {error}. Save the table as CSV UTF-8.") from error
    if not rows:
        raise DataError(f"{file}: the sheet {chosen!r} is empty; expected names of columns and one row per picture.")
    check_title(
        [["" if cell is None else str(cell).strip() for cell in row] for row in rows[:MAX_TITLE_ROWS]], str(file)
    )
    width = max(map(len, rows))
    names = [
        str(name).strip() if name is not None else f"column {place}"
        for place, name in enumerate([*rows[0], *[None] * (width - len(rows[0]))], start=1)
    ]
    padded = [[*row, *[None] * (width - len(row))] for row in rows[1:]]
    return pd.DataFrame(padded, columns=names, dtype="object")


def _choose_sheet(file: Path, names: Sequence[str], wanted: str | None) -> str:
    if wanted is not None and wanted not in names:
        raise DataError(f"{file}: there is no sheet {wanted!r}; its sheets are {name_some(names)}.")
    if wanted is None and len(names) > 1:
        logger.info(
            "%s: the first of its sheets %s is read; for another give %s", file, name_some(names), file / names[1]
        )
    return wanted or names[0]


def _list_rows(rows: Iterator[Sequence[object]]) -> Iterator[list[object]]:
    """Yield the rows that are not empty, without empty cells at the end."""
    for row in rows:
        cells = list(row)
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            yield cells
