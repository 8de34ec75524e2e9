"""Pictures in a folder of class folders, with or without train, validation and test around them."""

import logging
from collections.abc import Sequence
from pathlib import Path

from discern.data.sources.folder_layout import find_layout
from discern.data.sources.name_pattern import read_names
from discern.data.sources.walk import Unused, describe_no_pictures, sum_up, walk_folder
from discern.data.table import ImageTable, build_table, join_all
from discern.errors import DataError

logger = logging.getLogger("discern")


def load_folder(root: Path, label_pattern: str | None = None) -> ImageTable:
    """Load a folder whose subfolders are the classes, or the splits with the classes inside.

    What `walk_folder` does not use is summed up in `ignored`, and so are pictures outside of class folders, a `test`
    folder without classes (its pictures have no label) and folders without pictures. With a pattern, labels are
    those in the names of the pictures at any depth; see `read_names`.

    Raises:
        DataError: There are no pictures or no classes, or `find_layout` cannot tell which folders they are.
    """
    found = walk_folder(root)
    if not found.pictures:
        raise DataError(describe_no_pictures(str(root), sum_up(found.unused)))
    if label_pattern is not None:
        named = read_names(found.pictures, label_pattern, str(root))
        placed = {"id": found.pictures, "path": join_all(root, found.pictures)}
        return build_table({**placed, **named}, source=str(root), ignored=sum_up(found.unused))
    layout = find_layout(str(root), found.pictures)
    for remark in layout.remarks:
        logger.info("%s: %s", root, remark)
    ids = [one.file for one in layout.placed]
    columns: dict[str, Sequence[str | None]] = {
        "id": ids,
        "path": join_all(root, ids),
        "label": [one.label for one in layout.placed],
        "split": [one.split for one in layout.placed],
    }
    unused = [*found.unused, *layout.unused, *_find_empty(found.folders, found.pictures)]
    return build_table(columns, source=str(root), ignored=sum_up(unused))


def _find_empty(folders: Sequence[str], pictures: Sequence[str]) -> list[Unused]:
    """Return the folders without pictures at any depth; of those inside each other, the outermost."""
    all_parts = (name.split("/") for name in pictures)
    filled = {"/".join(parts[:depth]) for parts in all_parts for depth in range(len(parts))}
    empty = {name for name in folders if name not in filled}
    return [Unused(name, "no pictures in it") for name in folders if name in empty and _parent(name) not in empty]


def _parent(name: str) -> str:
    return name.rpartition("/")[0]
