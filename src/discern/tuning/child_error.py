"""How a child process tells the one that started it which file could not be written."""

import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from pydantic import BaseModel

from discern.errors import WriteError
from discern.files import describe_bytes

CANNOT_WRITE = 73
"""The exit code of a child that cannot write a file, as EX_CANTCREAT of sysexits.h."""


class _Unwritten(BaseModel):
    """The last line of such a child's log."""

    path: Path
    reason: str
    remedy: str


def end_unwritten(error: WriteError) -> NoReturn:
    """End this process with `CANNOT_WRITE`; the last line of its output says what could not be written, as JSON."""
    record = {"path": str(error.path), "reason": error.reason, "remedy": error.remedy}
    with suppress(OSError):  # the log may be on the same full disk
        sys.stdout.flush()
        print(f"discern: {error}\n{json.dumps(record)}", file=sys.stderr, flush=True)
    # An ordinary exit flushes again, and would change the code where that fails.
    os._exit(CANNOT_WRITE)


def read_unwritten(last_line: str, folder: Path) -> WriteError:
    """Return what a child that ended with `CANNOT_WRITE` could not write; of `folder` if its log has no room for it."""
    try:
        found = _Unwritten.model_validate_json(last_line)
    except ValueError:
        free = describe_bytes(shutil.disk_usage(folder.parent).free)
        return WriteError(folder, f"{free} are free on its disk, too little to record the cause", "Make room there")
    return WriteError(found.path, found.reason, found.remedy)
