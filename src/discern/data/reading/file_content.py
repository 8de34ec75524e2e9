"""Opens files that the names of pictures lead to, and nothing that is no file."""

import os
import stat
from pathlib import Path

from discern.data.reading.file_types import HEAD_BYTES
from discern.errors import BadImageError

_OTHER_THAN_FILES = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_file(path: str | Path) -> None:
    """Refuse pipes, sockets and devices before they are opened, since that may wait for ever."""
    mode = os.stat(path).st_mode  # noqa: PTH116 - making a Path takes longer than asking
    kind = next((name for is_kind, name in _OTHER_THAN_FILES if is_kind(mode)), None)
    if kind is not None:
        raise BadImageError(str(path), f"{kind}, not a file")


def read_head(path: str | Path) -> bytes:
    """Return the first bytes of a file, by which its type is known; nothing for what is no file or cannot be read."""
    try:
        check_file(path)
        with open(path, "rb") as file:  # noqa: PTH123 - making a Path takes longer than opening
            return file.read(HEAD_BYTES)
    except (OSError, ValueError, BadImageError):
        return b""
