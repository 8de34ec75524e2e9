"""Opens pictures with Pillow where our rules hold in place of its limits and warnings."""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile

from discern.data.reading.file_content import check_file, read_bytes
from discern.data.reading.orientation import read_orientation
from discern.data.reading.png_metadata import leave_out_metadata
from discern.data.reading.supported_types import list_formats
from discern.data.stored_pictures import find_member
from discern.errors import DataError

_pillow_lock = threading.Lock()


def check_strict() -> None:
    """Check that Pillow refuses truncated files.

    Raises:
        DataError: It is set to accept them.
    """
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise DataError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set, so half pictures would pass for whole ones. "
            "Set it to False, and leave damaged files to the check of the data."
        )


def open_header(source: str | Path | BinaryIO) -> Image.Image:
    """Open a file without reading all of it, unless Pillow refuses it for a limit that is not ours."""
    if isinstance(source, str | Path):
        check_file(source)
        source = source if find_member(source) is None else io.BytesIO(read_bytes(source))
    try:
        with by_our_rules():
            return Image.open(source, formats=list_formats())
    except ValueError:
        if not isinstance(source, str | Path):
            source.seek(0)
        return open_whole(read_bytes(source))


def open_whole(content: bytes) -> Image.Image:
    """Open a picture; what Pillow warns of or refuses (damaged EXIF, size, texts) is decided by our own rules."""
    with by_our_rules():
        image = Image.open(io.BytesIO(leave_out_metadata(content)), formats=list_formats())
        read_orientation(image)  # parsed here once, for its warnings, and kept by the picture
        return image


@contextmanager
def by_our_rules() -> Iterator[None]:
    """Silence Pillow's warnings and lift its limit of pixels, since ours holds.

    Both belong to the whole process, so this is done under a lock, and for the time of opening a file only.
    """
    with _pillow_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
