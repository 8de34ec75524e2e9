"""The folder that all runs of a comparison or search share, with a file that identifies it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from discern.errors import OUT, Option, RunFolderError, WriteError, option
from discern.files import explain_write_error, read_json, write_json

logger = logging.getLogger("discern")

DEFINITION = "definition.json"


def open_shared_folder(out: Path, definition: Mapping[str, Any], *, kind: str, other: str) -> None:
    """Create the folder of a comparison or search, or check that it already belongs to this one.

    Args:
        out: The folder.
        definition: What all runs have in common, as JSON values.
        kind: What such a folder is for, for messages: "search".
        other: What the folder has if its definition differs, for messages.

    Raises:
        RunFolderError: The folder has another comparison or search, or other files.
        WriteError: It cannot be made or written to.
    """
    if not check_shared_folder(out, definition, kind=kind, other=other):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_write_error(error, out) from error
        write_json(out / DEFINITION, definition)


def check_shared_folder(out: Path, definition: Mapping[str, Any], *, kind: str, other: str) -> bool:
    """Return whether the folder belongs to this comparison or search already, without writing anything.

    The arguments and errors are those of `open_shared_folder`.
    """
    path = out / DEFINITION
    if path.is_file():
        if _read(path) != definition:
            raise RunFolderError(f"{out} holds {other}; give another ", OUT)
        return True
    if out.exists() and (not out.is_dir() or any(not path.name.startswith(".") for path in out.iterdir())):
        raise RunFolderError(f"{out} is not empty and holds no {kind}; give another ", OUT)
    return False


@contextmanager
def going_on_in(out: Path) -> Iterator[None]:
    """Say after an interruption, and of a file that cannot be written, what goes on in this folder.

    Before anything has begun there, another folder does as well, and a file that cannot be written says so itself.

    Raises:
        WriteError: A file cannot be written.
    """
    again = option("out", str(out))
    next_step = Option(f"run the same command again with {again.command}", f"make the same call again with {again}")
    try:
        yield
    except WriteError as error:
        if not (out / DEFINITION).is_file():
            raise
        raise error.followed_by(next_step) from error
    except (KeyboardInterrupt, SystemExit):
        logger.warning("to go on, %s", next_step)
        raise


def _read(path: Path) -> object:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} is damaged ({error}); give another ", OUT) from None
