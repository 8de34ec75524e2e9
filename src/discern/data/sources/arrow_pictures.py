"""Pictures in the cells of Parquet and Arrow files: written as files, once, with a table that lists them."""

import csv
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from discern.data.reading.file_types import HEAD_BYTES, find_file_type
from discern.data.sources.arrow_files import (
    list_shards,
    measure_unpacked_bytes,
    name_classes,
    read_batches,
    read_features,
    read_schema,
    reading,
)
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.csv_file import load_frame
from discern.data.sources.unpacked import check_room, unpack_once, unpacked_home
from discern.data.table import ImageTable
from discern.errors import name_some
from discern.files import describe_bytes

logger = logging.getLogger("discern")

_TABLE = "pictures.csv"
_SPLIT = "split"
_EXTENSIONS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "GIF": ".gif",
    "TIFF": ".tiff",
    "WebP": ".webp",
    "BMP": ".bmp",
    "HEIC": ".heic",
    "AVIF": ".avif",
}


class _Columns(NamedTuple):
    """The columns that hold pictures, those with one value a cell, and the others."""

    pictures: list[str]
    values: list[str]
    others: list[str]


def unpack_pictures(place: Path) -> Path:
    """Return the table that lists the pictures in the cells of a set of Parquet or Arrow files, written as files.

    A place without pictures in its cells is returned as it is. A picture is called by its place in the set, within its
    split if there is one: `train/17.jpg`.

    Raises:
        DataError: pyarrow is not installed, or a file cannot be read.
        WriteError: There is no room for the pictures.
    """
    shards = list_shards(place)
    schemas = {file: read_schema(file) for file in shards}
    if not any(_sort_columns(schema).pictures for schema in schemas.values()):
        return place
    return unpack_once(place.resolve(), shards, lambda folder: _unpack(place, shards, schemas, folder)) / _TABLE


def load_arrow(path: Path, settings: ColumnSettings, labelled: bool) -> ImageTable:
    """Load the table that a Parquet or Arrow file without pictures in its cells lists.

    Raises:
        DataError: The file, its columns or its rows cannot be used.
    """
    schema = read_schema(path)
    names, features = _sort_columns(schema).values, read_features(schema)
    cells: dict[str, list[Any]] = {name: [] for name in names}
    with reading(path):
        for batch in read_batches(path, names):
            for name in names:
                cells[name] += name_classes(batch.column(name).to_pylist(), features.get(name))
    frame = pd.DataFrame(cells, dtype="object")
    return load_frame(frame, settings, folder=path.parent, source=str(path), labelled=labelled)


def _sort_columns(schema: Any) -> _Columns:
    from pyarrow import types

    pictures = [field.name for field in schema if _may_hold_pictures(field.type, types)]
    values = [
        field.name
        for field in schema
        if not (field.name in pictures or types.is_nested(field.type) or types.is_fixed_size_binary(field.type))
    ]
    return _Columns(pictures, values, [name for name in schema.names if name not in (*pictures, *values)])


def _may_hold_pictures(kind: Any, types: Any) -> bool:
    """Return whether a column holds bytes, or `bytes` and `path` as datasets stores pictures."""
    if types.is_struct(kind):
        return any(field.name == "bytes" and _may_hold_pictures(field.type, types) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _unpack(place: Path, shards: Mapping[Path, str | None], schemas: Mapping[Path, Any], folder: Path) -> None:
    needed_bytes = sum(map(measure_unpacked_bytes, shards))
    check_room(needed_bytes)
    logger.info("unpacking %s: %s in %s", place, describe_bytes(needed_bytes), unpacked_home())
    sorted_columns = {file: _sort_columns(schema) for file, schema in schemas.items()}
    left_out = {name for columns in sorted_columns.values() for name in columns.others}
    if left_out:
        logger.info("%s: not used, since their cells hold several values: %s", place, name_some(sorted(left_out)))
    names = dict.fromkeys(name for columns in sorted_columns.values() for name in (*columns.pictures, *columns.values))
    if any(shards.values()):
        names.setdefault(_SPLIT)
    with (folder / _TABLE).open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, list(names), restval="")
        writer.writeheader()
        counts: dict[str | None, int] = {}
        for file, split in shards.items():
            with reading(file):
                for row in _unpack_rows(file, schemas[file], sorted_columns[file], folder, split, counts):
                    writer.writerow({_SPLIT: split, **row} if split else row)


def _unpack_rows(
    file: Path, schema: Any, columns: _Columns, folder: Path, split: str | None, counts: dict[str | None, int]
) -> Iterator[dict[str, Any]]:
    """Write the pictures of a file, and yield its rows with their names; `counts` are the pictures of each split."""
    features, folders = read_features(schema), _name_folders(columns.pictures, split)
    for batch in read_batches(file, [*columns.pictures, *columns.values]):
        values = {name: name_classes(batch.column(name).to_pylist(), features.get(name)) for name in columns.values}
        for row, cells in enumerate(batch.select(columns.pictures).to_pylist()):
            number = counts.get(split, 0)
            counts[split] = number + 1
            written = {name: _write_picture(cell, folder, f"{folders[name]}{number}") for name, cell in cells.items()}
            yield {**written, **{name: value[row] for name, value in values.items()}}


def _name_folders(columns: Sequence[str], split: str | None) -> dict[str, str]:
    """Return the folder of each column of pictures, within that of the split; a single one needs none of its own."""
    own = [f"{place}-" + re.sub(r"\W", "_", name) for place, name in enumerate(columns)] if len(columns) > 1 else [None]
    return {name: "".join(f"{part}/" for part in (split, one) if part) for name, one in zip(columns, own, strict=True)}


def _write_picture(cell: Any, folder: Path, start: str) -> str | None:
    """Write the picture in a cell and return its name; return the path of one that lies elsewhere, None for none."""
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if content is None:
        return cell.get("path") if isinstance(cell, dict) else None
    found = find_file_type(content[:HEAD_BYTES])
    name = start + (_EXTENSIONS.get(found.name, "") if found else "")
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return name
