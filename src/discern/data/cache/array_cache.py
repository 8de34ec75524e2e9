"""Arrays kept on disk between runs: a folder of .npy files that several processes may use at once.

Each file ends with a checksum (CRC-32) of its key and of all before it, which is verified when it is opened, once a
run. Measured on a slow core, that takes 1.3 s for a GiB.
"""

import logging
import os
import re
import secrets
import shutil
import time
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from discern.leftovers import is_alive, mark_host

logger = logging.getLogger("discern")

_RESERVED_BYTES = 2**30
_ABANDONED_SECONDS = 24 * 3600
_HEADER_BYTES = 4096
_MARK = b"crc:"
_CHECKSUM_BYTES = 8
_BYTES_AT_ONCE = 2**20
_KEY = re.compile(r"[0-9a-f]+")
_ENTRY = re.compile(r"discern-[0-9a-f]+\.npy")
_TEMPORARY = re.compile(r"\.discern-[0-9a-f]+\.(?P<host>[0-9a-f]{8})\.(?P<process>[0-9]+)\.[0-9a-f]{8}\.tmp")

_DAMAGED = (ValueError, EOFError, OverflowError, SyntaxError, tokenize.TokenError)
"""What NumPy raises for a file that is damaged or too short."""


class CacheInfo(NamedTuple):
    """What a cache holds: complete arrays, and all bytes with those of arrays that are being written."""

    files: int
    bytes: int
    limit_bytes: int
    folder: Path


class _CacheFile(NamedTuple):
    path: Path
    size_bytes: int
    used_seconds: float


class ArrayCache:
    """A folder of arrays by key, of which the least recently used are removed first when room is needed.

    There are no locks: an array is written under a name of its own and renamed when it is complete, so that the last of
    two writers of one key wins, and an array that is removed stays readable for whoever has opened it. The folder is
    made when it is first written to; what else lies in it is never touched.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes

    def path_of(self, key: str) -> Path:
        """Return where the array of a key, of hexadecimal digits, lies when it is complete."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"The key of an array is {key!r}; expected hexadecimal digits.")
        return self.folder / f"discern-{key}.npy"

    def open(self, key: str) -> npt.NDArray[np.generic] | None:
        """Return an array, read-only and memory-mapped, or None; what is damaged is removed and counts as missing."""
        path = self.path_of(key)
        try:
            is_sound = _has_checksum(path, key)
            array: npt.NDArray[np.generic] = np.lib.format.open_memmap(path, "r")
        except FileNotFoundError:
            return None
        except _DAMAGED:
            is_sound = False
        if not is_sound:
            logger.warning(
                "a file of the cache is damaged, or of an older version; what was in it is made anew: %s", path
            )
            path.unlink(missing_ok=True)
            return None
        with suppress(FileNotFoundError, PermissionError):  # removed meanwhile, or a folder that others keep
            os.utime(path)
        return array

    def begin(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> "PendingArray":
        """Make an array to be filled, which the cache holds only after `PendingArray.commit`; `make_room` comes first.

        Raises:
            OSError: It cannot be written; a full disk shows here, and not later.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f".{self.path_of(key).stem}.{mark_host()}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
        return PendingArray(self.folder / name, self.path_of(key), key, shape, dtype)

    @contextmanager
    def create(self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Iterator[npt.NDArray[np.generic]]:
        """Yield an array to be filled; the cache holds it when the block ends, and nothing of it after an error.

        Raises:
            OSError: It cannot be written; a full disk shows here, and not later.
        """
        pending = self.begin(key, shape, dtype)
        try:
            yield pending.array
            pending.commit()
        finally:
            pending.discard()

    def could_hold(self, needed_bytes: int) -> bool:
        """Return whether `make_room` could make so much fit; only files of dead processes are removed."""
        self._remove_abandoned()
        entries = self._entries()
        return self._missing_bytes(needed_bytes, entries) <= sum(file.size_bytes for file in entries)

    def make_room(self, needed_bytes: int) -> bool:
        """Remove the least recently used arrays until so much more fits within the limit and on the disk.

        Of the disk, 1 GiB stays free. Returns False, with all arrays still there, when it cannot be made to fit.
        """
        self._remove_abandoned()
        entries = self._entries()
        missing = self._missing_bytes(needed_bytes, entries)
        if missing > sum(file.size_bytes for file in entries):
            return False
        for file in sorted(entries, key=lambda file: file.used_seconds):
            if missing <= 0:
                break
            file.path.unlink(missing_ok=True)
            missing -= file.size_bytes
        return True

    def info(self) -> CacheInfo:
        """Return what the cache holds."""
        entries = self._entries()
        held = sum(file.size_bytes for file in [*entries, *self._temporaries()])
        return CacheInfo(len(entries), held, self.limit_bytes, self.folder)

    def clear(self) -> int:
        """Remove all arrays, and files of dead processes; return how many bytes became free."""
        before = self.info().bytes
        self._remove_abandoned()
        for file in self._entries():
            file.path.unlink(missing_ok=True)
        return before - self.info().bytes

    def _entries(self) -> list[_CacheFile]:
        return _list_files(self.folder, _ENTRY)

    def _temporaries(self) -> list[_CacheFile]:
        return _list_files(self.folder, _TEMPORARY)

    def _missing_bytes(self, needed_bytes: int, entries: list[_CacheFile]) -> int:
        held = sum(file.size_bytes for file in [*entries, *self._temporaries()])
        over_limit = held + needed_bytes - self.limit_bytes
        over_disk = needed_bytes + _HEADER_BYTES + _RESERVED_BYTES - compute_free_bytes(self.folder)
        return max(over_limit, over_disk)

    def _remove_abandoned(self) -> None:
        for file in self._temporaries():
            if _is_abandoned(file):
                file.path.unlink(missing_ok=True)


class PendingArray:
    """An array in a temporary file, allocated on disk in full; `array` is writable and memory-mapped."""

    def __init__(self, path: Path, entry: Path, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.path = path
        self._entry = entry
        self._key = key
        try:
            self.array: npt.NDArray[np.generic] = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), shape)
            self._size_bytes = self.path.stat().st_size
            self._allocate()
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        """Bring all of it to the disk and give it its name in the cache; `array` stays usable."""
        if isinstance(self.array, np.memmap):
            self.array.flush()
        with self.path.open("rb+") as file:
            end = self._size_bytes
            checksum = _compute_checksum(file, self._key, end)
            file.seek(end)
            file.write(checksum)
            file.flush()
            os.fsync(file.fileno())
        self.path.replace(self._entry)

    def discard(self) -> None:
        """Remove the file, unless it was committed; `array` stays usable where files in use can be removed."""
        self.path.unlink(missing_ok=True)

    def _allocate(self) -> None:
        if hasattr(os, "posix_fallocate"):
            with self.path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes + _CHECKSUM_BYTES)


def _has_checksum(path: Path, key: str) -> bool:
    """Return whether a file ends with the checksum of all before."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END) - _CHECKSUM_BYTES
        if end < 0:
            return False
        file.seek(end)
        return file.read() == _compute_checksum(file, key, end)


def _compute_checksum(file: BinaryIO, key: str, end: int) -> bytes:
    """Return the mark and the checksum of a key and of the first `end` bytes of a file."""
    checksum = zlib.crc32(key.encode())
    file.seek(0)
    while end > 0:
        part = file.read(min(end, _BYTES_AT_ONCE))
        if not part:
            break
        checksum = zlib.crc32(part, checksum)
        end -= len(part)
    return _MARK + checksum.to_bytes(4, "little")


def compute_free_bytes(folder: Path) -> int:
    """Return the free space of the disk that a folder, which need not exist yet, lies on."""
    existing = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(existing).free


def _list_files(folder: Path, pattern: re.Pattern[str]) -> list[_CacheFile]:
    found = []
    with suppress(FileNotFoundError), os.scandir(folder) as items:
        for item in items:
            with suppress(FileNotFoundError):  # removed by another process meanwhile
                if pattern.fullmatch(item.name) and item.is_file(follow_symlinks=False):
                    status = item.stat(follow_symlinks=False)
                    found.append(_CacheFile(Path(item.path), status.st_size, status.st_mtime))
    return found


def _is_abandoned(temporary: _CacheFile) -> bool:
    """Return whether its writer is dead; of a writer on another computer, only the age of the file is known."""
    if time.time() - temporary.used_seconds > _ABANDONED_SECONDS:
        return True
    name = _TEMPORARY.fullmatch(temporary.path.name)
    return name is not None and name["host"] == mark_host() and not is_alive(int(name["process"]))
