"""Pictures that lie in the cells of a table, or in a list with paths."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from discern.data.picture_arrays import PictureArrays, name_picture
from discern.data.reading.decode import read_pixels
from discern.data.reading.supported_types import supported_extensions
from discern.data.sources.columns import is_name_of_pictures
from discern.data.sources.pixels import check_picture
from discern.errors import DataError, name_some

_PICTURES = (np.ndarray, Image.Image)
_LOOKED_AT = 20


def are_texts(cells: "pd.Series[Any]") -> bool:
    """Return whether no cell can be anything but text or a number; a million cells of a CSV take no time."""
    return cells.dtype != object or pd.api.types.infer_dtype(cells, skipna=True) in ("string", "empty")


def find_picture_column(columns: Mapping[str, "pd.Series[Any]"]) -> str | None:
    """Return the only column with pictures in its cells; where no column is named like one of paths, with their names.

    None is returned for none and for several.
    """
    found = [name for name, cells in columns.items() if _holds_picture(cells)]
    if not found and not any(map(is_name_of_pictures, columns)):
        found = [name for name, cells in columns.items() if _holds_names(cells)]
    return found[0] if len(found) == 1 else None


def _holds_names(cells: "pd.Series[Any]") -> bool:
    """Return whether all cells at the beginning end like the files of pictures."""
    first = [str(cell).strip().lower() for cell in cells.head(_LOOKED_AT)]
    return bool(first) and all(cell.endswith(supported_extensions()) for cell in first)


def _holds_picture(cells: "pd.Series[Any]") -> bool:
    """Return whether one of the cells is an array of pixels or a PIL picture; one with a single axis may be a label."""
    return not are_texts(cells) and any(_is_picture(cell) and getattr(cell, "ndim", 2) > 1 for cell in cells)


def check_cells(cells: "pd.Series[Any]", column: str, source: str) -> None:
    """Check that the cells of a column of pictures can be names, or are pictures.

    Raises:
        DataError: One is neither.
    """
    if are_texts(cells):
        return
    odd = sorted({type(cell).__name__ for cell in cells if not (_is_picture(cell) or _is_name(cell))})
    if odd:
        raise DataError(
            f"{source}: column {column!r} holds {name_some(odd)}; expected names of files, arrays or PIL pictures."
        )


def take_pictures(cells: "pd.Series[Any]") -> tuple[PictureArrays | None, npt.NDArray[np.int64]]:
    """Return the pictures among the cells, and for each cell its place among them, -1 where it is a name.

    Raises:
        DataError: An array is no picture.
    """
    if are_texts(cells):
        return None, np.full(len(cells), -1)
    is_picture = np.array([_is_picture(cell) for cell in cells], dtype=bool)
    index = np.where(is_picture, np.cumsum(is_picture) - 1, -1).astype(np.int64)
    given = (cell for cell, taken in zip(cells, is_picture, strict=True) if taken)
    pixels = [
        read_pixels(check_picture(cell) if isinstance(cell, np.ndarray) else cell, name=name_picture(place))
        for place, cell in enumerate(given)
    ]
    return _join(pixels), index


def _join(pixels: Sequence[npt.NDArray[np.generic]]) -> PictureArrays | None:
    """Return pictures of one form as one array, which loader processes share without a copy."""
    if len({(picture.shape, picture.dtype) for picture in pixels}) == 1:
        return np.stack(pixels)
    return tuple(pixels) or None


def _is_picture(cell: object) -> bool:
    return isinstance(cell, _PICTURES) and getattr(cell, "ndim", 2) > 0


def _is_name(cell: object) -> bool:
    return isinstance(cell, str | Path) or (pd.api.types.is_scalar(cell) and not isinstance(cell, bytes))
