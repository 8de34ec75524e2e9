"""Decoding of pictures that are no files."""

import numpy as np
from PIL import Image

from discern.data.picture_arrays import PictureArrays, name_picture
from discern.data.reading.decode import MAX_PIXELS, decode_image
from discern.data.reading.deep_pixels import DepthRange
from discern.errors import BadImageError

_DEEP_GREY = (np.int32, np.float32)
"""What Pillow keeps the values of grey pictures of 32 bits in, which it has rules of decoding for."""


def decode_array(
    arrays: PictureArrays, index: int, *, max_pixels: int = MAX_PIXELS, depth_range: DepthRange | None = None
) -> Image.Image:
    """Return one picture in RGB, by the rules of `decode_image`.

    Raises:
        BadImageError: It cannot be read or is too large; the error names it as `ImageTable.list_names` does.
    """
    name = name_picture(index)
    try:
        pixels = arrays[index]
    except BadImageError as error:
        raise BadImageError(name, str(error)) from error.__cause__
    is_deep_grey = pixels.ndim == 2 and pixels.dtype in _DEEP_GREY
    source = Image.fromarray(pixels) if is_deep_grey else pixels
    return decode_image(source, max_pixels=max_pixels, name=name, depth_range=depth_range)
