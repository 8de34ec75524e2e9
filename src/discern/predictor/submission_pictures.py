"""Which picture each id of a sample submission means."""

import logging
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.class_finder import parse_number
from discern.data.names import name_key
from discern.data.reading.supported_types import supported_extensions
from discern.data.table import ImageTable
from discern.errors import DataError, name_some

logger = logging.getLogger("discern")


def match_pictures(ids: "pd.Series[str]", table: ImageTable, source: str) -> npt.NDArray[np.int64]:
    """Return for each id the row of its picture.

    An id is a picture's id, the id that its own table gives it, the end of its path, or its file name, these two with
    or without extension. What comes first goes first, so that a whole id is never taken for another picture's file
    name. Names are compared as `name_key` writes them. Where none of these is met, a file name in another case, with
    the extension of another type of picture, or of the same number is taken, which is said.

    Raises:
        DataError: An id matches no picture, or several; or two ids match one.
    """
    finder = _PictureFinder(table)
    keys = [name_key(name.strip()) for name in ids]
    found = [finder.find(key) for key in keys]
    alike = {row: finder.find_alike(key) for row, key in enumerate(keys) if not found[row]}
    found = [alike.get(row, rows) for row, rows in enumerate(found)]
    missing = [name for name, rows in zip(ids, found, strict=True) if not rows]
    if missing:
        raise DataError(
            f"{source} asks for {len(missing)} of {len(ids)} pictures that are not among the {len(table)} inputs: "
            f"{name_some(missing)}. The inputs are called {finder.describe_first()}. Give the pictures that the sample "
            f"asks for; its ids are those of its first column, {str(ids.name)!r}"
        )
    paths = table.frame["path"]
    # A picture that is given twice is one picture.
    unclear = [name for name, rows in zip(ids, found, strict=True) if len({paths[row] or row for row in rows}) > 1]
    if unclear:
        raise DataError(f"{source} has ids that match several pictures: {name_some(unclear)}; use longer ids")
    chosen = np.array([rows[0] for rows in found], dtype=np.int64)
    twice = ids[pd.Index(chosen).duplicated(keep=False)].tolist()
    if twice:
        raise DataError(f"{source} has several ids for one picture: {name_some(twice)}")
    if alike:
        pairs = [f"{ids.iloc[row]!r} is {table.frame['id'].iloc[chosen[row]]!r}" for row in alike]
        logger.warning("%s: ids of pictures that are called otherwise: %s", source, name_some(pairs))
    return chosen


class _PictureFinder:
    """The rows of pictures by all that they may be called."""

    def __init__(self, table: ImageTable) -> None:
        frame = table.frame
        self._frame = frame
        own = frame["own_id"].dropna()
        self._whole = [
            {name_key(name): [int(row)] for row, name in zip(names.index, names, strict=True)}
            for names in (frame["id"], own)
        ]
        self._paths = [name_key(path or name) for path, name in zip(frame["path"], frame["id"], strict=True)]
        self._by_file: dict[str, list[int]] = {}
        for row, path in enumerate(self._paths):
            file = PurePosixPath(path)
            for name in {file.name, file.stem}:
                self._by_file.setdefault(name, []).append(row)
        self._alike: dict[object, list[int]] = {}

    def find(self, name: str) -> list[int]:
        """Return the rows that a name may mean."""
        for known in self._whole:
            if name in known:
                return known[name]
        rows = self._by_file.get(name.rpartition("/")[2], [])
        if "/" not in name:
            return rows
        # The folders may be called otherwise where the sample was written; then the file name decides.
        return [row for row in rows if self._ends_with(row, f"/{name}")] or rows

    def find_alike(self, name: str) -> list[int]:
        """Return the rows of pictures whose file names differ in case, extension or the spelling of a number."""
        if not self._alike:
            for row, path in enumerate(self._paths):
                self._alike.setdefault(_make_loose_key(path), []).append(row)
        return self._alike.get(_make_loose_key(name), [])

    def _ends_with(self, row: int, end: str) -> bool:
        path = "/" + self._paths[row]
        return path.endswith(end) or path.removesuffix(PurePosixPath(path).suffix).endswith(end)

    def describe_first(self) -> str:
        """Return what the first picture is called, for people."""
        first = self._frame.iloc[0]
        own = first.get("own_id")
        return f"{first['id']!r} and so on" + (f" (in their own table {own!r})" if isinstance(own, str) else "")


def _make_loose_key(name: str) -> object:
    """Return the number that a file is named by, or else its name in small letters, without a picture's extension."""
    file = name.rpartition("/")[2].casefold()
    extension = next((end for end in supported_extensions() if file.endswith(end)), "")
    bare = file.removesuffix(extension)
    number = parse_number(bare)
    return bare if number is None else number
