"""Tells whether other processes search in a folder; the system knows this even of those that were killed."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextmanager
def searching(folder: Path) -> Iterator[None]:
    """Search in a folder, in which others may search at the same time."""
    if sys.platform == "win32":
        yield
    else:
        with _locking(folder, fcntl.LOCK_SH):
            yield


@contextmanager
def keeping_others_out(folder: Path) -> Iterator[bool]:
    """Yield True if no process searches in a folder, and let none begin; False if one does, or that is not known."""
    if sys.platform == "win32":
        yield False
    else:
        with _locking(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as is_locked:
            yield is_locked


@contextmanager
def _locking(folder: Path, operation: int) -> Iterator[bool]:
    """Lock a folder, which leaves no file in it; yield whether that could be done: not every disk has such locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, operation)
            is_locked = True
        except OSError:
            is_locked = False
        yield is_locked
    finally:
        os.close(handle)
