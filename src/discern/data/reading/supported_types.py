"""Which types of pictures can be decoded here."""

import functools
import importlib.util

from PIL import Image

from discern.data.table import natural_sort

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "HEIF")


@functools.cache
def list_formats() -> tuple[str, ...]:
    """Return the supported formats; HEIC only where the package pillow-heif is installed."""
    Image.init()
    if importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


@functools.cache
def supported_extensions() -> tuple[str, ...]:
    """Return the file name extensions, in lower case with the dot, of the types that can be decoded here."""
    formats = {*list_formats(), "MPO"}
    return natural_sort(extension for extension, name in Image.registered_extensions().items() if name in formats)
