"""Which columns of a user's table hold the picture, its label, its split and its group."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from discern.data.sources.header import EXAMPLE
from discern.data.sources.split_column import NO_SPLIT
from discern.errors import Advice, DataError, data_setting, name_some

logger = logging.getLogger("discern")

_PATH_NAMES = (
    "image", "images", "path", "file", "filename", "filepath", "img", "photo", "picture", "imagepath", "imagefile",
    "imagename", "imgpath", "imgname", "paths", "files", "filenames", "filepaths", "imgs", "photos", "pictures",
    "imagepaths", "imagefiles", "imagenames", "imagefilename", "imagefilepath", "imgfile", "imgfilename", "fname",
    "photopath", "photoname", "picturepath", "picturename", "relativepath", "relpath", "fullpath",
)  # fmt: skip
_ID_NAMES = ("id", "imageid", "imgid", "name")
_OWN_ID_NAMES = (
    *_ID_NAMES, "pictureid", "photoid", "fileid", "sampleid", "testid", "rowid", "uid", "uuid", "key", "index", "idx",
)  # fmt: skip
_LABEL_NAMES = (
    "label", "labels", "class", "classname", "category", "target", "species", "breed", "variety", "y",
)  # fmt: skip


def is_name_of_pictures(name: str) -> bool:
    """Return whether a column of this name holds the paths or file names of pictures."""
    return _plain(name) in _PATH_NAMES


MAX_TITLE_ROWS = 20
"""How many rows are looked at to find the names of columns below a title."""


def check_title(rows: Sequence[Sequence[str]], source: str) -> None:
    """Check that the first row is no title above the names of columns; `rows` are as they stand.

    Raises:
        DataError: It has a single cell, and a later row has several, one of them the name of a column of pictures.
    """
    known = (*_PATH_NAMES, *_ID_NAMES)
    if sum(map(bool, rows[0])) != 1 or _plain(max(rows[0])) in known:
        return
    below = (
        row for row in rows[1:MAX_TITLE_ROWS] if sum(map(bool, row)) > 1 and any(_plain(cell) in known for cell in row)
    )
    names = next(below, None)
    if names is not None:
        raise DataError(
            f"{source}: it begins with {max(rows[0])[:80]!r}, and the names of the columns seem to come later: "
            f"{name_some(list(filter(None, names)))}. Remove what is above them."
        )


@dataclass(frozen=True)
class ColumnSettings:
    """How to read a CSV or DataFrame; None means found by name, or absent.

    `image_root` is the folder or archive that picture names start from (None: the folder of the CSV, or the working
    folder for a DataFrame), `image_suffix` what they lack at the end, such as `.jpg` or `jpg`. `split_column` may be
    `none`. With `keep_nan`, a label that is the text `nan` is a class. With `label_pattern`, labels are in the names of
    the pictures and no column is one; see `read_names`.
    """

    image_column: str | None = None
    label_column: str | None = None
    image_root: str | Path | None = None
    image_suffix: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    keep_nan: bool = False
    label_pattern: str | None = None


@dataclass(frozen=True)
class ChosenColumns:
    """The columns in use.

    `own_ids` are columns beside the picture's that are named like an id, the likeliest first.
    """

    image: str
    label: str | None
    group: str | None
    own_ids: tuple[str, ...]


def choose_columns(
    names: Sequence[str], settings: ColumnSettings, *, labelled: bool, source: str, split_columns: Collection[str] = ()
) -> ChosenColumns:
    """Choose the columns that the settings name, or whose names say what they are.

    A column named like a path or file is preferred to one named like an id. With `labelled`, a single column that is
    left over is the label; without, several that could be it are none. One of `split_columns`, which hold words for
    train, validation and test, is the label only where no other column can be.

    Raises:
        DataError: A column is not there, none fits or several do.
    """
    for setting in ("image_column", "label_column", "group_column"):
        _check_present(getattr(settings, setting), setting, names, source)
    if settings.split_column != NO_SPLIT:
        _check_present(settings.split_column, "split_column", names, source)
    taken = {settings.label_column, settings.split_column, settings.group_column}
    image = settings.image_column or _guess_image(names, taken, source)
    taken |= {image}
    label = settings.label_column
    if label is None and settings.label_pattern is None:
        label = _guess_label(names, taken, split_columns, labelled=labelled, source=source)
    own_ids = _matching(names, _OWN_ID_NAMES, taken | {label})
    own_ids.sort(key=lambda name: _OWN_ID_NAMES.index(_plain(name)))
    return ChosenColumns(image, label, settings.group_column, tuple(own_ids))


def list_label_candidates(names: Sequence[str], settings: ColumnSettings, split_columns: Collection[str]) -> list[str]:
    """Return the columns that may have to do with the label, where neither a setting nor a name says which it is."""
    taken = {settings.image_column, settings.split_column, settings.group_column}
    is_known = settings.label_column or settings.label_pattern or _matching(names, _LABEL_NAMES, taken)
    return [] if is_known else _list_leftover(names, taken, split_columns)


def _guess_image(names: Sequence[str], taken: Collection[str | None], source: str) -> str:
    for known in (_PATH_NAMES, _ID_NAMES):
        found = _matching(names, known, taken)
        if found:
            return _only(found, "picture", "image_column", names, source)
    raise DataError(
        f"{source}: no column looks like the file name of a picture. Its columns are {name_some(names)}. "
        "If one of them is, say which: ",
        data_setting("image_column", "NAME"),
        f". Expected is a table such as\n  {EXAMPLE}",
    )


def _guess_label(
    names: Sequence[str],
    taken: Collection[str | None],
    split_columns: Collection[str],
    *,
    labelled: bool,
    source: str,
) -> str | None:
    found = _matching(names, _LABEL_NAMES, taken)
    if len(found) > 1:
        found = [name for name in found if name not in split_columns] or found
    if not found and labelled:
        found = _list_leftover(names, taken, split_columns)
        if len(found) != 1:
            named = data_setting("label_column", "NAME")
            way: Advice = ("If one of them is, say which: ", named, ". Otherwise write") if found else ("Write",)
            raise DataError(
                f"{source}: no column looks like the label. Its columns are {name_some(names)}. ",
                *way,
                f" the labels, as in\n  {EXAMPLE}",
            )
    if len(found) > 1 and not labelled:
        doubt = " and ".join(map(repr, found))
        logger.info("%s: no labels are read, since %s could each be their column", source, doubt)
        return None
    return _only(found, "label", "label_column", names, source) if found else None


def _list_leftover(names: Sequence[str], taken: Collection[str | None], split_columns: Collection[str]) -> list[str]:
    known = (*_PATH_NAMES, *_OWN_ID_NAMES)
    return [name for name in names if name not in taken and name not in split_columns and _plain(name) not in known]


def _matching(names: Sequence[str], known: Sequence[str], taken: Collection[str | None]) -> list[str]:
    return [name for name in names if name not in taken and _plain(name) in known]


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _only(found: Sequence[str], meaning: str, setting: str, names: Sequence[str], source: str) -> str:
    if len(found) > 1:
        raise DataError(
            f"{source}: {' and '.join(map(repr, found))} could each be the column of the {meaning}. "
            f"Its columns are {name_some(names)}. Say which it is: ",
            data_setting(setting, "NAME"),
            ".",
        )
    return found[0]


def _check_present(name: str | None, setting: str, names: Sequence[str], source: str) -> None:
    if name is not None and name not in names:
        raise DataError(
            f"{source}: there is no column {name!r} (", data_setting(setting), f"). Its columns are {name_some(names)}."
        )
