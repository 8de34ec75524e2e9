"""Hashes that stay nearly the same when a picture is saved again, resized, brightened, mirrored or slightly cropped."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

Hashes = npt.NDArray[np.uint64]

_HASH_BITS = 64
_ROWS_AT_ONCE = 20_000


class View(NamedTuple):
    """A part of a square picture, perhaps mirrored: `side` of its width and height, from `left` and `top` on."""

    side: float = 1.0
    left: float = 0.0
    top: float = 0.0
    is_mirrored: bool = False


WHOLE = View()
VIEWS = (
    WHOLE,
    View(is_mirrored=True),
    View(0.95, 0.025, 0.025),
    View(0.90, 0.05, 0.05),
    *(View(0.94, left, top) for left in (0.0, 0.06) for top in (0.0, 0.06)),
)
"""What of a picture is looked for among whole pictures: all of it, its mirror image, and crops by up to a tenth."""

WIDE_VIEWS = (
    *VIEWS,
    *(
        View(side, across * (1 - side), down * (1 - side))
        for side in (0.88, 0.82, 0.75)
        for across in (0.0, 0.5, 1.0)
        for down in (0.0, 0.5, 1.0)
    ),
)
"""And crops by up to a quarter, at nine places: too many to look for everywhere, but not between few pictures."""


def compute_hashes(grey: npt.NDArray[np.uint8], view: View = WHOLE) -> Hashes:
    """Return hashes (N,) of grey pictures (N, S, S): the signs of the 64 lowest frequencies of the cosine transform.

    Of pictures without contrast they mean nothing.

    Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010. We take the lowest
    frequencies in a triangle rather than a square, leave out the mean, and compare with zero rather than the median.
    """
    rows, columns = _choose_frequencies()
    cosines = dct(np.eye(grey.shape[1]), axis=0, norm="ortho")[: max(rows.max(), columns.max()) + 1]
    vertical, horizontal = (cosines @ build_resampling(places) for places in find_places(view, grey.shape[1]))
    hashes = np.zeros(len(grey), np.uint64)
    for start in range(0, len(grey), _ROWS_AT_ONCE):
        part = grey[start : start + _ROWS_AT_ONCE].astype(np.float32)
        spectrum = vertical.astype(np.float32) @ part @ horizontal.astype(np.float32).T
        bits = np.ascontiguousarray(np.packbits(spectrum[:, rows, columns] > 0, axis=1))
        hashes[start : start + len(part)] = bits.view(np.uint64)[:, 0]
    return hashes


class Places(NamedTuple):
    """From where in a picture each row and column (S,) of a view is taken, in pixels; or of many views (P, S)."""

    rows: npt.NDArray[np.float64]
    columns: npt.NDArray[np.float64]


def find_places(view: View, size: int) -> Places:
    """Return where the rows and columns of a view lie in a picture of a size."""
    steps: npt.NDArray[np.float64] = (np.arange(size, dtype=np.float64) + 0.5) * view.side - 0.5
    columns = steps + view.left * size
    return Places(steps + view.top * size, columns[::-1] if view.is_mirrored else columns)


def build_resampling(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return matrices (..., S, S) that take the values of a line at these places (..., S), linearly between pixels."""
    size = places.shape[-1]
    inside = np.clip(places, 0, size - 1)[..., None]
    return np.asarray(np.maximum(1 - np.abs(inside - np.arange(size)), 0))


def _choose_frequencies() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the places (64,) of the lowest frequencies but the mean, by the sum of row and column."""
    rows, columns = np.divmod(np.arange(1, 144), 12)
    lowest = np.argsort(rows + columns, kind="stable")[:_HASH_BITS]
    return rows[lowest], columns[lowest]
