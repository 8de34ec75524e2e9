"""Names of unfinished files, which say whose they are, and the removal of those whose process is gone."""

import hashlib
import os
import platform
import re
import shutil
from contextlib import suppress
from functools import cache
from pathlib import Path

_UNFINISHED = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})\.(?P<process>[0-9]+)\.tmp")


def name_unfinished(path: Path) -> Path:
    """Return the hidden path at which this process makes a file or folder that will be `path` when it is complete."""
    return path.with_name(f".{path.name}.{mark_host()}.{os.getpid()}.tmp")


@cache
def remove_leftovers(folder: Path) -> None:
    """Remove what processes of this host that were killed left unfinished in a folder; only once in a process."""
    with suppress(OSError), os.scandir(folder) as items:
        for item in items:
            found = _UNFINISHED.fullmatch(item.name)
            if found is None or found["host"] != mark_host() or is_alive(int(found["process"])):
                continue
            with suppress(OSError):
                if item.is_dir(follow_symlinks=False):
                    shutil.rmtree(item.path)
                else:
                    Path(item.path).unlink()


def is_alive(process: int) -> bool:
    """Return whether a process of this host may be alive."""
    if os.name != "posix":  # elsewhere there is no way to ask without ending it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@cache
def mark_host() -> str:
    """Return eight hexadecimal digits of this host, or container: within them, the number of a process is unique."""
    try:
        processes = Path("/proc/self/ns/pid").readlink()
    except OSError:
        processes = Path()
    return hashlib.sha256(f"{platform.node()} {processes}".encode()).hexdigest()[:8]
