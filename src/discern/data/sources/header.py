"""Tables without a line of names, and lists under other names: recognised, and what to do shown."""

from collections.abc import Sequence
from pathlib import Path

from discern.data.reading.supported_types import supported_extensions
from discern.data.sources.encoding import advise_on_packed
from discern.errors import DataError

EXAMPLE = "image,label\n  red/1.png,red\n  blue/1.png,blue"
"""A table as it is wanted, for messages."""

_LOOKED_AT = 20
_MAX_LINE = 2000


def check_header(names: Sequence[str], root: Path, source: str) -> None:
    """Check that the names of columns are no row of the table.

    Raises:
        DataError: One of them is the name of a picture.
    """
    place = next((place for place, name in enumerate(names[:_LOOKED_AT]) if _is_picture(name, root)), None)
    if place is not None:
        line = ",".join(names[:_LOOKED_AT])[:200]
        raise DataError(
            f"{source}: the first line, {line!r}, looks like a picture and not like names of columns. Put a line "
            f"of names above it, so that the table begins with\n  {_show_form(names, place)}"
        )


def show_list(file: Path) -> str:
    """Return how a text file that lists pictures is read, or what to do with a packed file; else nothing."""
    try:
        with file.open(encoding="utf-8") as text:
            cells = text.readline(_MAX_LINE).replace(",", " ").split()
    except OSError:
        return ""
    except ValueError:
        return advise_on_packed(file)
    return " A list of pictures is read where its name ends in .txt." if any(map(_has_extension, cells)) else ""


def _is_picture(name: str, root: Path) -> bool:
    cells = name.split()
    if not cells:
        return False
    try:
        return _has_extension(cells[0]) or _has_extension(cells[-1]) or _lies_there(name, root)
    except (OSError, ValueError):
        return False


def _lies_there(name: str, root: Path) -> bool:
    """Return whether a name is that of a file: one in a folder, or an id with a digit, which names of columns lack."""
    if "/" in name:
        return (root / name).is_file()
    endings = supported_extensions() if any(map(str.isdigit, name)) else ()
    return any((root / f"{name}{ending}").is_file() for ending in endings)


def _has_extension(name: str) -> bool:
    return name.lower().endswith(supported_extensions()) and not name.startswith(".")


def _show_form(cells: Sequence[str], place: int) -> str:
    """Return a line of names for the cells of a row, and the row; a single cell holds a picture and its label."""
    if len(cells) == 1:
        cells = cells[0].split()
        place = next(place for place, cell in enumerate(cells) if _has_extension(cell)) if len(cells) > 1 else 0
    others = iter(("label", *(f"column {number}" for number in range(3, len(cells) + 1))))
    names = ["image" if column == place else next(others) for column in range(len(cells))]
    shown = [names, list(cells)] if len(cells) > 1 else [["image", "label"], [cells[0], "red"]]
    return "\n  ".join(",".join(line[:5]) for line in shown)
