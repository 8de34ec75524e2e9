"""Lists of pictures in a text file without names of columns: `red/1.png red` in each line."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from discern.data.reading.supported_types import supported_extensions
from discern.data.sources.columns import ColumnSettings, is_name_of_pictures
from discern.data.sources.csv_file import load_frame
from discern.data.sources.encoding import advise_on_text, find_encoding
from discern.data.table import ImageTable
from discern.errors import DataError, list_some

_NUMBERS = re.compile(r"[-+.\d]+(?:\s+[-+.\d]+)+")


def load_text_list(path: Path, settings: ColumnSettings, labelled: bool) -> ImageTable:
    """Load the table that a text list holds; see `read_text_list`.

    Raises:
        DataError: The file, its columns or its rows cannot be used.
    """
    return load_frame(read_text_list(path), settings, folder=path.parent, source=str(path), labelled=labelled)


def read_text_list(path: Path) -> pd.DataFrame:
    """Read a list as a table with the columns `image` and `label`; further ones are called `column 3` by their place.

    Cells are separated by tabs, commas or semicolons where each line has one, otherwise by blanks: a name then ends
    with its extension, or where there are none with the first blank. Whole numbers before the names, all different, are
    the column `id`. Lines that begin with `#` do not count. A first line of names of columns is understood, too.

    Raises:
        DataError: The file cannot be read, is empty, or has lines with more cells than the others.
    """
    try:
        text = path.read_text(encoding=find_encoding(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: not readable as text in UTF-8: {error}.{advise_on_text(path, error)}") from error
    lines = [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
    if not lines:
        raise DataError(f"{path}: empty; expected a picture and its label in each line, such as\n  red/1.png red")
    rows = _split_lines(lines)
    width = len(rows[0])
    odd = [line for line, row in zip(lines, rows, strict=True) if len(row) != width]
    if odd:
        raise DataError(f"{path}: lines with more or fewer cells than the {width} of the first:\n{list_some(odd)}")
    if any(map(is_name_of_pictures, rows[0])):
        return pd.DataFrame(rows[1:], columns=rows[0], dtype="object")
    columns = list(zip(*rows, strict=True))
    return pd.DataFrame(dict(zip(_name_columns(columns), columns, strict=True)), dtype="object")


def _split_lines(lines: Sequence[str]) -> list[list[str]]:
    for separator in "\t,;":
        if all(separator in line for line in lines):
            return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    extensions = "|".join(re.escape(extension) for extension in supported_extensions())
    named = [re.fullmatch(rf"(.+?(?:{extensions}))(?:\s+(.*))?", line, re.IGNORECASE) for line in lines]
    if all(named):
        return _split_named([(found[1], found[2] or "") for found in named if found])
    cells = [line.split() for line in lines]
    if len({len(row) for row in cells}) == 1:
        return cells
    return [[*line.split(maxsplit=1), ""][:2] for line in lines]


def _split_named(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return the cells of lines that were cut behind the extension: a number before the name, and several behind it."""
    are_numbered = all(re.match(r"\d+\s+\S", name) for name, _ in pairs)
    have_numbers = all(_NUMBERS.fullmatch(rest) for _, rest in pairs)
    have_labels = any(rest for _, rest in pairs)
    return [
        [
            *(name.split(maxsplit=1) if are_numbered else [name]),
            *(rest.split() if have_numbers else [rest] * have_labels),
        ]
        for name, rest in pairs
    ]


def _name_columns(columns: Sequence[Sequence[str]]) -> list[str]:
    image = next((place for place, cells in enumerate(columns) if _hold_pictures(cells)), 0)
    names = [f"column {place}" for place in range(1, len(columns) + 1)]
    names[image] = "image"
    for place, cells in enumerate(columns[:image]):
        if len(set(cells)) == len(cells) and all(map(str.isdecimal, cells)):
            names[place] = "id"
    others = [place for place, name in enumerate(names) if name.startswith("column")]
    if len(others) == 1:
        names[others[0]] = "label"
    return names


def _hold_pictures(cells: Sequence[str]) -> bool:
    return any(cell.lower().endswith(supported_extensions()) for cell in cells)
