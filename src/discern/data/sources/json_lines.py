"""Pictures listed in JSON: an object in each line, all in one array, or in the form of COCO."""

import json
from pathlib import Path

import pandas as pd

from discern.data.sources.coco import is_coco, read_coco
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.csv_file import load_frame
from discern.data.sources.encoding import advise_on_text, find_encoding
from discern.data.table import ImageTable
from discern.errors import DataError, list_some

_EXAMPLE = '{"image": "red/1.png", "label": "red"}'


def load_json(path: Path, settings: ColumnSettings, labelled: bool) -> ImageTable:
    """Load the table that a JSON file lists: its keys are the columns, and of COCO the categories the labels.

    Raises:
        DataError: The file, its columns or its rows cannot be used.
    """
    rows = _read_rows(path)
    keys = dict.fromkeys(key for row in rows for key in row)
    frame = pd.DataFrame({key: [row.get(key) for row in rows] for key in keys}, dtype="object")
    return load_frame(frame, settings, folder=path.parent, source=str(path), labelled=labelled)


def _read_rows(path: Path) -> list[dict[str, object]]:
    try:
        text = path.read_text(encoding=find_encoding(path)).strip()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: not readable as JSON in UTF-8: {error}.{advise_on_text(path, error)}") from error
    whole = _parse(text)
    if is_coco(whole):
        return read_coco(whole, str(path))
    if text.startswith("["):
        found = {f"element {place}": one for place, one in enumerate(whole if isinstance(whole, list) else [None], 1)}
    else:
        found = {f"line {number}": _parse(line) for number, line in enumerate(text.splitlines(), 1) if line.strip()}
    odd = [place for place, value in found.items() if not isinstance(value, dict)]
    if odd or not found:
        listed = f"\nThese are none:\n{list_some(odd)}" if odd else ""
        raise DataError(
            f"{path}: expected an object in each line, or one array of objects, such as\n  {_EXAMPLE}{listed}"
        )
    return [value for value in found.values() if isinstance(value, dict)]


def _parse(text: str) -> object:
    """Return the value that a text stands for, None where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
