"""Opens files that the names of pictures lead to, and nothing that is no file."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from discern.data.reading.file_types import HEAD_BYTES
from discern.data.stored_pictures import find_member, is_remote, read_member
from discern.errors import BadImageError
from discern.files import discern_home

INSIDE_VARIABLE = "DISCERN_INSIDE"
"""Names a folder outside of which no picture is opened, for commands that others may ask for, as in the studio."""

_OTHER_THAN_FILES = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_file(path: str | Path) -> None:
    """Refuse pipes, sockets and devices before they are opened, since that may wait for ever.

    Where the variable `DISCERN_INSIDE` names a folder, refuse what lies outside of it, too.
    """
    member = find_member(path)
    if root := os.environ.get(INSIDE_VARIABLE):
        _check_inside(str(path if member is None else member.tar), root)
    if member is not None and is_remote(member.tar):
        return
    mode = os.stat(path if member is None else member.tar).st_mode  # noqa: PTH116 - a Path takes longer
    kind = next((name for is_kind, name in _OTHER_THAN_FILES if is_kind(mode)), None)
    if kind is not None:
        raise BadImageError(str(path), f"{kind}, not a file")


def _check_inside(path: str, root: str) -> None:
    real = os.path.realpath(path)
    # What archives hold is unpacked in the home of discern.
    allowed = (os.path.join(os.path.realpath(one), "") for one in (root, discern_home()))  # noqa: PTH118
    if is_remote(path) or not real.startswith(tuple(allowed)):
        raise BadImageError(path, f"it lies outside of {root}, and nothing else is opened here")


def read_bytes(source: str | Path | bytes | BinaryIO) -> bytes:
    """Return all bytes of a file or a stream, or bytes as they are."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | Path):
        check_file(source)
        member = find_member(source)
        return Path(source).read_bytes() if member is None else read_member(member)
    return source.read()


def read_head(source: str | Path | bytes | BinaryIO) -> bytes:
    """Return the first bytes, by which a type is known; nothing for what is no file or cannot be read."""
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    try:
        if not isinstance(source, str | Path):
            source.seek(0)
            return source.read(HEAD_BYTES)
        if find_member(source) is not None:
            return read_bytes(source)[:HEAD_BYTES]
        check_file(source)
        with open(source, "rb") as file:  # noqa: PTH123 - making a Path takes longer than opening
            return file.read(HEAD_BYTES)
    except (OSError, ValueError, BadImageError):
        return b""
