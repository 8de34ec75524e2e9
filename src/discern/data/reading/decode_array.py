"""Decoding of pictures that are no files."""

from PIL import Image

from discern.data.picture_arrays import PictureArrays, name_picture
from discern.data.reading.decode import MAX_PIXELS, decode_image
from discern.errors import BadImageError


def decode_array(arrays: PictureArrays, index: int, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Return one picture in RGB.

    Raises:
        BadImageError: It cannot be read or is too large; the error names it as `ImageTable.list_names` does.
    """
    name = name_picture(index)
    try:
        pixels = arrays[index]
    except BadImageError as error:
        raise BadImageError(name, str(error)) from error.__cause__
    return decode_image(pixels, max_pixels=max_pixels, name=name)
