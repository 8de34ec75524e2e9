"""Where the pictures of a run are: where they were at its training, or below a folder that they were moved to."""

import os
from collections.abc import Sequence
from pathlib import Path

from discern.data.sources.kinds import find_root
from discern.data.stored_pictures import is_picture_there
from discern.data.table import join_all
from discern.errors import DATA, DataError, Option, cut

WHERE_MOVED = "where they were moved, give their folder with "
GIVE_DATA = Option(WHERE_MOVED + DATA.command, WHERE_MOVED + DATA.python)


def find_pictures(paths: Sequence[str], root: Path, data: str | Path | None) -> list[str]:
    """Return the absolute path of each picture of a run: where it was, or else where it is below `data`.

    There it is looked for in the same place as below the folder that all were in: `root`, or where some were elsewhere,
    the deepest one that has them all. A picture that is in neither place keeps its old path, and one in memory "".

    Args:
        paths: As the run has them: absolute, or from `root`.
        root: The folder that they started from; see `RunFolder.read_data_root`.
        data: The folder or archive that they were moved to, or a table in it.
    """
    recorded = [path and joined for path, joined in zip(paths, join_all(root.absolute(), paths), strict=True)]
    if data is None or not any(recorded):
        return recorded
    start, folder = _find_start(recorded, root.absolute()), find_root(Path(data))
    return [_move(path, start, folder) for path in recorded]


def check_found(paths: Sequence[str], data: str | Path | None) -> None:
    """Raise where `data` is given, and none of the pictures is there, nor where it was.

    Args:
        paths: As `find_pictures` returns them.
        data: As it was given to that.

    Raises:
        DataError: There is none; the error says what was looked for.
    """
    files = [path for path in paths if path]
    if data is not None and files and not any(map(is_picture_there, files)):
        raise DataError(
            f"none of the {len(files)} pictures is in {find_root(Path(data))}, nor where it was at the training, such "
            f"as {cut(files[0])}. Give the folder with ",
            DATA,
            " that has the same folders and files below it as that one had",
        )


def _find_start(paths: Sequence[str], root: Path) -> Path:
    """Return the folder that all files were below."""
    files = [path for path in paths if path]
    if all(Path(path).is_relative_to(root) for path in files):
        return root
    return Path(os.path.commonpath([os.path.dirname(path) for path in files]))  # noqa: PTH120 - a million Paths take seconds


def _move(path: str, start: Path, folder: Path) -> str:
    if not path or is_picture_there(path):
        return path
    moved = str((folder / Path(path).relative_to(start)).absolute())
    return moved if is_picture_there(moved) else path
