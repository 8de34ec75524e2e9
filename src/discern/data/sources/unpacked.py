"""Packed pictures, unpacked once as files into DISCERN_HOME/unpacked, so that every command can read them again."""

import errno
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from discern.data.cache.array_cache import compute_free_bytes
from discern.errors import DataError, Option, WriteError
from discern.files import discern_home, explain_write_error
from discern.leftovers import name_unfinished, remove_leftovers

logger = logging.getLogger("discern")

_RESERVED_BYTES = 2**30
_FORM = b"1\n"
"""Of what is written; another one makes all be unpacked anew."""


def unpacked_home() -> Path:
    """Return the folder of all that was unpacked."""
    return discern_home() / "unpacked"


def unpack_once(place: Path, files: Iterable[Path], fill: Callable[[Path], None]) -> Path:
    """Return the folder, called like `place`, with what is packed there; `fill` writes it where it is not there yet.

    What was unpacked is known by the name of the place, since a folder and the one around it may have the same files,
    and by the paths, sizes and times of the packed `files`. It is made under another name and renamed when it is
    complete; of two processes at once, one does the work for nothing.

    Raises:
        WriteError: It cannot be written.
    """
    entry = unpacked_home() / _make_key(place.name, files)
    folder = entry / place.name
    if folder.is_dir():
        return folder
    temporary = name_unfinished(entry)
    try:
        unpacked_home().mkdir(parents=True, exist_ok=True)
        remove_leftovers(unpacked_home())
        (temporary / place.name).mkdir(parents=True)
        fill(temporary / place.name)
        if hasattr(os, "sync"):
            os.sync()  # all of it at once: to flush file by file takes minutes for many thousands
        temporary.rename(entry)
    except WriteError:
        raise
    except OSError as error:
        if not folder.is_dir():  # which it is where another process was faster
            raise explain_write_error(error, entry) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


@contextmanager
def naming_as_given(place: Path, opened: Path) -> Iterator[None]:
    """Let errors and the log name a place, and what lies in it, as the user gave it, and not where it was `opened`."""
    if not opened.is_relative_to(unpacked_home()):
        yield
        return
    key, name = opened.relative_to(unpacked_home()).parts[:2]
    unpacked = unpacked_home() / key / name
    given = next((one for one in (place, *place.parents) if one.name == name), unpacked)

    def rename(value: object) -> object:
        if isinstance(value, Option):
            return Option(*(text.replace(str(unpacked), str(given)) for text in value))
        return str(value).replace(str(unpacked), str(given)) if isinstance(value, str | Path) else value

    def rename_record(record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(rename, record.args))
        return True

    logger.addFilter(rename_record)
    try:
        yield
    except DataError as error:
        error.args = tuple(map(rename, error.args))
        raise
    finally:
        logger.removeFilter(rename_record)


def check_room(needed_bytes: int) -> None:
    """Check that the disk has room for what is to be unpacked; 1 GiB stays free.

    Raises:
        WriteError: It has not.
    """
    if needed_bytes + _RESERVED_BYTES > compute_free_bytes(unpacked_home()):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise explain_write_error(full, unpacked_home() / "...", size_bytes=needed_bytes + _RESERVED_BYTES)


def measure_unpacked() -> int:
    """Return how many bytes all that was unpacked takes."""
    folders = os.walk(unpacked_home())
    return sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in folders for name in names)  # noqa: PTH118


def clear_unpacked() -> int:
    """Remove all that was unpacked, which is unpacked again when needed; return how many bytes became free."""
    freed = measure_unpacked()
    shutil.rmtree(unpacked_home(), ignore_errors=True)
    return freed - measure_unpacked()


def _make_key(name: str, files: Iterable[Path]) -> str:
    digest = hashlib.sha256(_FORM + f"{name}\n".encode(errors="surrogateescape"))
    for file in files:
        status = file.stat()
        digest.update(f"{file.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
