"""Parquet and Arrow files: one, a folder of shards, or a folder that Hugging Face datasets saved."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from discern.data.sources.walk import is_picture
from discern.data.table import natural_sort, parse_split
from discern.errors import DataError, install_command

ARROW_SUFFIXES = (".parquet", ".arrow", ".feather")
_LOOKED_AT = 1000
_MISSING_CLASS = -1
"""What datasets write for a picture without a label."""


def list_shards(place: Path) -> dict[Path, str | None]:
    """Return the files of a set of Parquet or Arrow files, with the split that each is of; empty for other places.

    A split is in the names of files, such as train-00000-of-00002.parquet, or of the folders around them.
    """
    if place.suffix.lower() in ARROW_SUFFIXES and os.path.isfile(place):  # noqa: PTH113
        return {place: None}
    is_folder = os.path.isdir(place)  # noqa: PTH112 - a name that is too long is no error
    if not is_folder or not _holds_shards(place):
        return {}
    found = {str(file.relative_to(place)): file for suffix in ARROW_SUFFIXES for file in place.rglob(f"*{suffix}")}
    used = [name for name in natural_sort(found) if not any(map(_is_unused, Path(name).parts))]
    return {found[name]: _find_split(Path(name)) for name in used}


def _holds_shards(folder: Path) -> bool:
    """Return whether such a file comes before any picture in a folder and those in it; not all is looked at."""
    for entry in islice(_list_entries(folder), _LOOKED_AT):
        if is_picture(entry.name):
            return False
        if entry.name.lower().endswith(ARROW_SUFFIXES):
            return True
    return False


def _list_entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    """Yield what lies in a folder and then in those in it, without what is hidden or cannot be opened."""
    folders = [str(folder)]
    for one in folders:
        with suppress(OSError), os.scandir(one) as listing:
            for entry in listing:
                if not entry.name.startswith("."):
                    yield entry
                    folders += [entry.path] if entry.is_dir() else []


def _is_unused(part: str) -> bool:
    return part.startswith((".", "cache-"))  # the latter are caches that datasets makes beside a set that it saved


def _find_split(name: Path) -> str | None:
    words = [name.stem.partition("-")[0], *reversed(name.parent.parts)]
    return next((split for word in words if (split := parse_split(word))), None)


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turn what pyarrow raises into an error that names the file, also where pyarrow itself is missing.

    Raises:
        DataError: A block that reads Parquet or Arrow files failed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise DataError(
            f"{file}: Parquet and Arrow files are read by the package pyarrow: {install_command('tables')}"
        ) from None
    except (ValueError, KeyError, NotImplementedError, MemoryError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{file}: not readable as a Parquet or Arrow file: {error}") from error


def read_schema(file: Path) -> Any:
    """Return the pyarrow schema of a file.

    Raises:
        DataError: pyarrow is not installed, or the file cannot be read.
    """
    try:
        with reading(file):
            import pyarrow.parquet as pq

            return pq.read_schema(file) if file.suffix.lower() == ".parquet" else _open_arrow(file).schema
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror or error}") from error


def read_batches(file: Path, columns: list[str]) -> Iterator[Any]:
    """Yield record batches of some columns, so that never all pictures are in memory."""
    import pyarrow.parquet as pq

    if file.suffix.lower() == ".parquet":
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(batch_size=100, columns=columns)
        return
    opened = _open_arrow(file)
    batches = opened if hasattr(opened, "read_next_batch") else map(opened.get_batch, range(opened.num_record_batches))
    for batch in batches:
        yield batch.select(columns)


def measure_unpacked_bytes(file: Path) -> int:
    """Return how many bytes the cells of a file take."""
    if file.suffix.lower() != ".parquet":
        return file.stat().st_size
    with reading(file):
        import pyarrow.parquet as pq

        metadata = pq.read_metadata(file)
        return sum(metadata.row_group(place).total_byte_size for place in range(metadata.num_row_groups))


def _open_arrow(file: Path) -> Any:
    """Return the reader of an Arrow file, which datasets writes as a stream."""
    import pyarrow as pa

    source = pa.memory_map(str(file))
    try:
        return pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)


def read_features(schema: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return what Hugging Face datasets notes about the columns, such as the names of classes; empty without a note."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    return {name: note for name, note in features.items() if isinstance(note, dict)}


def name_classes(cells: list[Any], note: Mapping[str, Any] | None) -> list[Any]:
    """Return the cells of a column with the names of classes in place of their numbers, where a note has them."""
    names = (note or {}).get("names")
    if (note or {}).get("_type") != "ClassLabel" or not isinstance(names, list):
        return cells
    return [names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else _keep_other(cell) for cell in cells]


def _keep_other(cell: Any) -> Any:
    return None if cell == _MISSING_CLASS else cell
