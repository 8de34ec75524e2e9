"""Small pictures to show people, of those that can still be read."""

import io
import logging
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.counts import count_of
from discern.data.reading.dataset import decode_row
from discern.data.reading.decode import MAX_PIXELS
from discern.data.table import ImageTable
from discern.errors import BadImageError, Option

logger = logging.getLogger("discern")

THUMBNAIL_PIXELS = 256
"""No side of a small picture is longer."""

_JPEG_QUALITY = 80
_DECODED_SCALE = 2
"""By this factor, at least, a picture is larger than its small copy when it is decoded: less would be seen."""


def load_thumbnails(
    table: ImageTable,
    rows: Iterable[int],
    *,
    max_count: int,
    shown_in: str,
    max_pixels: int = MAX_PIXELS,
    advice: Option | None = None,
) -> dict[int, npt.NDArray[np.uint8]]:
    """Return up to `max_count` pictures (H, W, 3), no side above 256 pixels, by row: the first that can be read.

    Those that cannot be read are logged; `shown_in` names what they are missing from, and `advice` what to do.
    """
    thumbnails: dict[int, npt.NDArray[np.uint8]] = {}
    unreadable = []
    for row in map(int, rows):
        if len(thumbnails) == max_count:
            break
        try:
            thumbnails[row] = load_thumbnail(table, row, max_pixels=max_pixels)
        except BadImageError as error:
            unreadable.append(f"{table.frame['id'].iloc[row]} ({error.reason})")
    if unreadable:
        logger.warning(
            "%s cannot be shown in %s, such as %s%s%s",
            count_of(len(unreadable), "picture"),
            shown_in,
            unreadable[0],
            "; " if advice else "",
            advice or "",
        )
    return thumbnails


def load_thumbnail(
    table: ImageTable, row: int, *, side_pixels: int = THUMBNAIL_PIXELS, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[np.uint8]:
    """Return the picture (H, W, 3) at this position of a table, no side above `side_pixels`.

    Raises:
        BadImageError: It cannot be decoded.
    """

    def cover(width: int, height: int) -> tuple[int, int]:
        scale = _DECODED_SCALE * side_pixels / max(width, height)
        return round(width * scale), round(height * scale)

    image = decode_row(table, row, max_pixels=max_pixels, covering=cover)
    image.thumbnail((side_pixels, side_pixels))
    return np.asarray(image)


def encode_thumbnail(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture (H, W, 3) as a JPEG file for a page, without the metadata of the photo's own file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=_JPEG_QUALITY, optimize=True)
    return buffer.getvalue()
