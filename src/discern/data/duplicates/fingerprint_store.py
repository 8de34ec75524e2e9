"""Fingerprints kept between runs, by path, size and time of each file."""

import hashlib
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL

from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.decode import DECODE_RULES
from discern.data.stored_pictures import stat_picture

logger = logging.getLogger("discern")

_VERSION = 1
_NO_FILE = np.uint64(0)


class FingerprintStore:
    """The fingerprints of the files below one folder, in one array of a cache.

    A file is known by a hash of its path, size and time of change: when one of them changes, it is read again. Of two
    processes that save at a time the last wins, and what the other had is computed again when it is needed.
    """

    def __init__(
        self, cache: ArrayCache | None, paths: Sequence[str], record: npt.DTypeLike, *, reading: tuple[object, ...]
    ) -> None:
        self._cache = cache
        self._marks = np.array([_mark_file(path) for path in paths], dtype=np.uint64)
        self._row = np.dtype([("mark", np.uint64), ("record", record)])
        self._kept = np.zeros(0, self._row)
        self._key = _compute_key([path for path in paths if path], self._row, reading)

    def load(self) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int64]]:
        """Return the records that are known, and their rows."""
        found = None if self._cache is None else self._cache.open(self._key)
        if found is not None and found.dtype == self._row and found.ndim == 1:
            self._kept = found  # type: ignore[assignment]
        order = np.argsort(self._kept["mark"])
        sorted_marks = self._kept["mark"][order]
        places = np.searchsorted(sorted_marks, self._marks)
        is_known = (self._marks != _NO_FILE) & (places < len(order))
        is_known[is_known] = sorted_marks[places[is_known]] == self._marks[is_known]
        rows = np.flatnonzero(is_known)
        return self._kept["record"][order[places[rows]]], rows

    def save(self, records: npt.NDArray[np.void], rows: npt.NDArray[np.int64]) -> None:
        """Keep the records of these rows together with what was kept before; that it fails is no reason to stop."""
        rows = rows[self._marks[rows] != _NO_FILE]
        marks, first = np.unique(self._marks[rows], return_index=True)
        if self._cache is None or np.isin(marks, self._kept["mark"]).all():
            return
        new = np.zeros(len(marks), self._row)
        new["mark"], new["record"] = marks, records[rows[first]]
        old = self._kept[~np.isin(self._kept["mark"], marks)]
        try:
            if self._cache.make_room(old.nbytes + new.nbytes):
                with self._cache.create(self._key, (len(old) + len(new),), self._row) as array:
                    array[: len(old)], array[len(old) :] = old, new
        except OSError as error:
            logger.warning("fingerprints could not be kept for later runs: %s", error.strerror or error)


def _mark_file(path: str) -> np.uint64:
    """Return a hash of a file's path, size and time of change; 0 where there is none."""
    try:
        status = stat_picture(path)
    except (OSError, ValueError):
        return _NO_FILE
    facts = f"{os.path.abspath(path)}\0{status.size_bytes}\0{status.mtime_ns}"  # noqa: PTH100 - likewise
    return np.uint64(int.from_bytes(hashlib.blake2b(facts.encode(), digest_size=8).digest(), "little"))


def _compute_key(paths: Sequence[str], row: np.dtype[np.void], reading: tuple[object, ...]) -> str:
    """Return the key of the folder that all paths lie in, and of all that records depend on but the files."""
    folders = {str(Path(path).absolute().parent) for path in paths}
    common = os.path.commonpath(folders) if folders else ""
    facts = (_VERSION, common, row.descr, reading, DECODE_RULES, PIL.__version__)
    return hashlib.sha256(repr(facts).encode()).hexdigest()
