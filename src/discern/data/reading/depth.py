"""Which part of their range pictures of more than 8 bits use, measured before training."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from discern.data.picture_arrays import PictureArrays, name_picture
from discern.data.reading.decode import MAX_PIXELS, read_deep_values
from discern.data.reading.deep_pixels import DeepValues, DepthRange, build_deep_values
from discern.data.table import ImageTable
from discern.errors import BadImageError, name_some

logger = logging.getLogger("discern")

_SAMPLE = 300
_SMALL_SHARE = 0.5
_SPECKS = 0.001
"""The share of values at either end that does not count, so that a few broken pixels do not stretch the range."""


class _Deep(NamedTuple):
    """The values that one picture uses; `full` is the range that the rules of decoding expect."""

    path: str
    low: float
    high: float
    full: float
    is_colour: bool


def apply_depth_range(
    table: ImageTable, wanted: DepthRange | Literal["measured"] | None, *, max_pixels: int = MAX_PIXELS
) -> ImageTable:
    """Return the table with the range by which its pictures of more than 8 bits are scaled, and say it.

    Up to 300 pictures are looked at. Where no range is `wanted`, and they use little of what the rules of decoding
    expect, a warning names the range that they use.
    """
    found = _measure(table, max_pixels)
    _warn_of_colour([one for one in found if one.is_colour])
    grey = [one for one in found if not one.is_colour]
    if wanted == "measured":
        wanted = _join(grey)
        logger.info("data.depth_range: %s", "no picture has more than 8 bits" if wanted is None else _name(wanted))
    elif wanted is None:
        _warn_of_small_range(
            grey,
            "Set data.depth_range=%s (black, white) if that is the scale of all; it is kept with the classifier",
        )
    return replace(table, depth_range=wanted)


def warn_of_unscaled(table: ImageTable) -> None:
    """Say where pictures for a classifier that has no range of its own use little of what the rules expect."""
    way = (
        "Scale them to 8 bits as the pictures that it was trained on, or train with data.depth_range=%s (black, white) "
        "if that is the scale of all"
    )
    _warn_of_small_range([one for one in _measure(table, MAX_PIXELS) if not one.is_colour], way)


def _measure(table: ImageTable, max_pixels: int) -> list[_Deep]:
    rows: list[int] = (
        np.unique(np.linspace(0, len(table) - 1, _SAMPLE).round().astype(int)).tolist() if len(table) else []
    )
    paths, places = (table.frame[name].tolist() for name in ("path", "array_index"))
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # our own rules decide what is a problem
        for row in rows:
            try:
                values = _read(table.arrays, paths[row], places[row], max_pixels)
            except BadImageError:
                continue  # found and named by the check of all pictures
            if values is not None:
                low = float(np.nanquantile(values.pixels, _SPECKS, method="lower"))
                high = float(np.nanquantile(values.pixels, 1 - _SPECKS, method="higher"))
                if np.isfinite((low, high)).all():
                    shown = name_picture(places[row]) if places[row] >= 0 else paths[row]
                    found.append(_Deep(shown, low, high, values.full, values.is_colour))
    return found


def _read(arrays: PictureArrays | None, path: str, place: int, max_pixels: int) -> DeepValues | None:
    """Return the values of a file, or of a picture that a dataset gives; colour of the latter keeps all its levels."""
    if arrays is None or place < 0:
        return read_deep_values(path, max_pixels=max_pixels)
    pixels = arrays[place]
    if pixels.dtype == np.uint8:
        return None
    return build_deep_values(pixels.astype(np.float32), is_float=pixels.dtype.kind == "f")


def _join(found: Sequence[_Deep]) -> DepthRange | None:
    """Return the smallest range that holds those of all pictures, and begins at 0 where they begin near it."""
    if not found:
        return None
    low, high = min(one.low for one in found), max(one.high for one in found)
    low = 0.0 if 0 <= low <= 0.1 * high else low
    return (low, high) if low < high else (low, low + 1)


def _warn_of_small_range(found: Sequence[_Deep], way: str) -> None:
    used = _join(found)
    if used is None:
        return
    scales = {one.full for one in found}
    full = max(scales)
    if len(scales) > 1:
        logger.warning(
            "pictures of more than 8 bits are of several scales, each read by its own: to %s; together they use %s. "
            "If that is one scale for all, set data.depth_range=%s",
            " and to ".join(f"{scale:g}" for scale in sorted(scales)),
            f"{used[0]:g} to {used[1]:g}",
            _name(used),
        )
        return
    is_inside = used[0] >= 0 and used[1] <= full
    if not is_inside or used[1] - used[0] < _SMALL_SHARE * full:
        logger.warning(
            f"pictures of more than 8 bits use the values %s of 0 to %g, as in %s, so %s. {way}",
            f"{used[0]:g} to {used[1]:g}",
            full,
            found[0].path,
            "they lose levels, or are nearly black" if is_inside else "they are refused as they are",
            _name(used),
        )


def _warn_of_colour(found: Sequence[_Deep]) -> None:
    dark = [one.path for one in found if one.high < _SMALL_SHARE * one.full]
    if dark:
        logger.warning(
            "%d of %d colour pictures of 16 bits that were looked at use less than half of their range, and lose "
            "levels: only the higher byte is read, and data.depth_range is for grey ones. Scale them to 8 bits with "
            "the program that wrote them: %s",
            len(dark),
            len(found),
            name_some(dark, shown=3),
        )


def _name(depth_range: DepthRange) -> str:
    return f"[{depth_range[0]:.6g},{depth_range[1]:.6g}]"
