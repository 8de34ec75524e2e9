"""The one way from a file, bytes, an array or a PIL picture to upright 8-bit RGB."""

import functools
import importlib.util
import io
import math
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.ExifTags import Base

from discern.data.reading.deep_pixels import (
    DEEP_MODES,
    DeepValues,
    DepthRange,
    build_deep_values,
    scale_deep,
    scale_range,
    scale_sixteen_bit,
)
from discern.data.reading.file_content import check_file, read_bytes, read_head
from discern.data.reading.file_types import describe_type
from discern.data.reading.png_metadata import leave_out_metadata
from discern.data.stored_pictures import find_member
from discern.data.table import holds_escape, natural_sort
from discern.errors import BadImageError, DataError

ImageSource = str | Path | bytes | BinaryIO | Image.Image | npt.NDArray[np.generic]
Covering = Callable[[int, int], tuple[int, int]]
"""Maps width and height of an upright picture to the width and height that are needed of it, in pixels."""

MAX_PIXELS = 100_000_000

DECODE_RULES = {
    "orientation": "EXIF orientation applied; damaged EXIF counts as upright",
    "alpha": "composited on white",
    "sixteen_bit": "grey 0..65535 divided by 257; colour by its high byte",
    "integer_32_bit": "0..65535 divided by 257; beyond that refused",
    "float_32_bit": "0..1 times 255, 0..255 as it is; beyond that refused",
    "cmyk_palette_grey": "converted to RGB by Pillow; colour profiles ignored",
    "animated": "first frame",
    "truncated": "refused",
    "jpeg": "files decoded at the smallest of 1/1, 1/2, 1/4, 1/8 that is twice the target or more",
}
"""What `decode_image` does, as text for the bundle."""

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "HEIF")
_WHITE = (255, 255, 255, 255)
_UPRIGHT_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = (5, 6, 7, 8)  # width and height are exchanged
_pillow_lock = threading.Lock()


class ImageHeader(NamedTuple):
    """The facts of a file's header; width and height are as stored, before EXIF orientation."""

    format: str
    mode: str
    width_pixels: int
    height_pixels: int


class Inspection(NamedTuple):
    """What reading a file once gives: the facts of its header, and its picture.

    `orientation` is EXIF's, 1 to 8, where 1 is upright; a photo that a phone stores with a second one for depth does
    not count as animated. `image` is upright RGB by the rules of `DECODE_RULES`.
    """

    header: ImageHeader
    orientation: int
    is_animated: bool
    image: Image.Image


def decode_image(
    source: ImageSource,
    *,
    max_pixels: int = MAX_PIXELS,
    name: str | None = None,
    covering: Covering | None = None,
    depth_range: DepthRange | None = None,
) -> Image.Image:
    """Decode a picture into upright 8-bit RGB by the rules of `DECODE_RULES`.

    Arrays are uint8 or uint16 of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), the last with alpha. Of a PIL picture
    the current frame is taken; it is not changed. More than `max_pixels` is refused before pixels are read, and no
    limit of Pillow holds beside it. Texts and profiles in a file are skipped. `name` stands for the source in errors.
    With `depth_range`, grey pictures of more than 8 bits are scaled from it, and not by `DECODE_RULES`.

    With `covering`, a JPEG is decoded at the smallest of 1/1, 1/2, 1/4 and 1/8 of its size at which neither side is
    shorter than needed; a PIL picture and every other format stay as large as they are. Decoded at twice 224 pixels or
    more and fitted to 224, photos of 2 to 10 megapixels take 45 % of the time and differ from full decoding by 0.3
    levels of 255 on average and by 5 at their worst place (means over photos; 0.6 and 13 for the worst photo).

    Raises:
        BadImageError: It cannot be decoded; a part of a picture is never returned.
        DataError: Pillow is set to accept truncated files.
    """
    _check_strict()
    shown = name or _name_of(source)
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source, max_pixels, shown, depth_range), shown, depth_range)
    with _refusing(shown, source):
        image = source if isinstance(source, Image.Image) else _open_quietly(read_bytes(source))
        _check_size(image, max_pixels, shown)
        if covering is None or image is source:
            image.load()
        else:
            image = _load_reduced(image, covering)
        return _to_rgb(turn_upright(image), shown, depth_range)


def read_pixels(source: Image.Image | npt.NDArray[np.generic], *, name: str) -> npt.NDArray[np.generic]:
    """Return a picture in memory as 8-bit RGB, or the values of one of more than 8 bits, which are scaled later.

    Raises:
        BadImageError: It cannot be decoded.
    """
    if isinstance(source, np.ndarray):
        is_deep = source.dtype == np.uint16
        return source if is_deep else np.asarray(decode_image(source, name=name))
    if not source.mode.startswith(DEEP_MODES):
        return np.asarray(decode_image(source, name=name))
    with _refusing(name):
        values = np.asarray(turn_upright(source))
    return values.astype(np.uint16) if values.dtype.kind == "u" else values


def inspect_image(
    content: bytes,
    *,
    name: str,
    covering: Covering,
    max_pixels: int = MAX_PIXELS,
    depth_range: DepthRange | None = None,
) -> Inspection:
    """Decode the bytes of a file as `decode_image` does, and return the facts of the file's header too.

    A JPEG is read to its end also where it is decoded at a fraction of its size, so that a truncated one is found.

    Raises:
        BadImageError: It cannot be decoded; a part of a picture is never returned.
        DataError: Pillow is set to accept truncated files.
    """
    _check_strict()
    with _refusing(name, content):
        image = _open_quietly(content)
        _check_size(image, max_pixels, name)
        header = ImageHeader(image.format or "", image.mode, image.width, image.height)
        orientation = _orientation(image)
        is_animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        upright = turn_upright(_load_reduced(image, covering))
        return Inspection(header, orientation, is_animated, _to_rgb(upright, name, depth_range))


def read_file(path: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        BadImageError: It is not there, or cannot be read.
    """
    with _refusing(path):
        return read_bytes(path)


def read_header(source: str | Path | BinaryIO, *, max_pixels: int = MAX_PIXELS, name: str = "") -> ImageHeader:
    """Read the header of a file, without its pixels; `name` is what errors call it.

    Raises:
        BadImageError: It is no picture of a supported type, or too large.
    """
    shown = name or _name_of(source)
    with _refusing(shown, source), _open_header(source) as image:
        _check_size(image, max_pixels, shown)
        return ImageHeader(image.format or "", image.mode, image.width, image.height)


def read_deep_values(path: str, *, max_pixels: int = MAX_PIXELS) -> DeepValues | None:
    """Return the values of a picture of more than 8 bits, as they are stored; None for any other picture.

    Raises:
        BadImageError: It cannot be decoded.
    """
    with _refusing(path, path), _open_header(path) as image:
        _check_size(image, max_pixels, path)
        if not image.mode.startswith(DEEP_MODES):
            is_colour = image.mode in ("RGB", "RGBA") and ";16" in repr(getattr(image, "tile", ""))
            # Pillow gives the higher byte only.
            return DeepValues(np.asarray(image, dtype=np.float32) * 257, 65535, is_colour) if is_colour else None
        return build_deep_values(np.asarray(image, dtype=np.float32), is_float=image.mode == "F")


def turn_upright(image: Image.Image) -> Image.Image:
    """Return a picture turned as its EXIF orientation says."""
    method = _UPRIGHT_BY_ORIENTATION.get(_orientation(image))
    return image if method is None else image.transpose(method)


def is_decoded_reduced(source: str | Path | BinaryIO, covering: Covering, *, max_pixels: int = MAX_PIXELS) -> bool:
    """Return whether `decode_image` reads a file at a fraction of its size; only the header is read.

    Raises:
        BadImageError: It is no picture of a supported type, or too large.
    """
    shown = _name_of(source)
    with _refusing(shown, source), _open_header(source) as image:
        _check_size(image, max_pixels, shown)
        if image.format not in ("JPEG", "MPO"):
            return False
        stored = image.size
        with _by_our_rules():
            image.draft(None, _needed_as_stored(image, covering))
        return image.size != stored


@functools.cache
def supported_extensions() -> tuple[str, ...]:
    """Return the file name extensions, in lower case with the dot, of the types that can be decoded here."""
    formats = {*_formats(), "MPO"}
    return natural_sort(extension for extension, name in Image.registered_extensions().items() if name in formats)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the supported formats; HEIC only where the package pillow-heif is installed."""
    Image.init()
    if importlib.util.find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _check_strict() -> None:
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise DataError(
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES is set, so half pictures would pass for whole ones. "
            "Set it to False, and leave damaged files to the check of the data."
        )


def _open_header(source: str | Path | BinaryIO) -> Image.Image:
    """Open a file without reading all of it, unless Pillow refuses it for a limit that is not ours."""
    if isinstance(source, str | Path):
        check_file(source)
        source = source if find_member(source) is None else io.BytesIO(read_bytes(source))
    try:
        with _by_our_rules():
            return Image.open(source, formats=_formats())
    except ValueError:
        if not isinstance(source, str | Path):
            source.seek(0)
        return _open_quietly(read_bytes(source))


def _open_quietly(content: bytes) -> Image.Image:
    """Open a picture; what Pillow warns of or refuses (damaged EXIF, size, texts) is decided by our own rules."""
    with _by_our_rules():
        image = Image.open(io.BytesIO(leave_out_metadata(content)), formats=_formats())
        _orientation(image)  # parsed here once, for its warnings, and kept by the picture
        return image


def _load_reduced(image: Image.Image, covering: Covering) -> Image.Image:
    """Load a JPEG at a fraction of its size that covers what is needed, and any other picture whole.

    A side that is no multiple of the fraction ends in a pixel that lies partly beyond the picture; it stays when at
    least half of it is inside, so that the picture is shifted by half a pixel at most.
    """
    reduced = image.draft(None, _needed_as_stored(image, covering))
    image.load()
    if reduced is None:
        return image
    _, (_, _, right, bottom) = reduced
    inside = (math.floor(right + 0.5), math.floor(bottom + 0.5))
    if image.size == inside:
        return image
    with _by_our_rules():
        return image.crop((0, 0, *inside))


def _needed_as_stored(image: Image.Image, covering: Covering) -> tuple[int, int]:
    """Return the width and height that are needed of a picture, in the orientation in which it is stored."""
    turned = _orientation(image) in _TURNED
    width, height = covering(*(image.size[::-1] if turned else image.size))
    return (height, width) if turned else (width, height)


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged EXIF makes Pillow raise nearly anything, and the picture can be used all the same
        return 1
    return orientation if isinstance(orientation, int) else 1


def _to_rgb(image: Image.Image, shown: str, depth_range: DepthRange | None) -> Image.Image:
    if image.mode.startswith(DEEP_MODES):
        image = Image.fromarray(scale_deep(np.asarray(image), image.mode, shown, depth_range))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_array(
    array: npt.NDArray[np.generic], max_pixels: int, shown: str, depth_range: DepthRange | None
) -> Image.Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise BadImageError(shown, f"array of shape {array.shape}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if array.shape[0] * array.shape[1] > max_pixels:
        raise BadImageError(shown, _too_large(array.shape[1], array.shape[0], max_pixels))
    if depth_range is not None and array.dtype != np.uint8 and array.dtype.kind in "iuf":
        array = scale_range(array, depth_range)
    elif array.dtype == np.uint16:
        array = scale_sixteen_bit(array)
    if array.dtype != np.uint8:
        raise BadImageError(shown, f"array of {array.dtype}; expected uint8 (0..255) or uint16 (0..65535)")
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.ndim == 3 and channels == 1 else array))


def _check_size(image: Image.Image, max_pixels: int, shown: str) -> None:
    if image.width * image.height > max_pixels:
        raise BadImageError(shown, _too_large(image.width, image.height, max_pixels))


def _too_large(width: int, height: int, max_pixels: int) -> str:
    return f"{width} x {height} is more than the limit of {max_pixels:,} pixels (data.max_pixels)"


def _name_of(source: ImageSource) -> str:
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, bytes):
        return f"{len(source)} bytes"
    if isinstance(source, np.ndarray):
        return f"array of shape {source.shape}"
    return str(getattr(source, "name", "") or getattr(source, "filename", "") or type(source).__name__)


def _explain_unknown(source: ImageSource, shown: str) -> str:
    head = b"" if isinstance(source, np.ndarray | Image.Image) else read_head(source)
    if not head and isinstance(source, str | Path | bytes):
        return "the file is empty"
    found = describe_type(head, shown)
    return f"not a picture of a supported type{f', but {found}' if found else f' ({_list_formats()})'}"


def _list_formats() -> str:
    return ", ".join(_formats())


def _explain_missing(shown: str) -> str:
    if not holds_escape(shown):
        return "no such file"
    encoding = sys.getfilesystemencoding()
    if encoding != "utf-8":
        return f"this Python reads file names as {encoding}; start it with PYTHONUTF8=1"
    return "the file name is not valid UTF-8; rename it"


@contextmanager
def _refusing(shown: str, source: ImageSource = b"") -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into a `BadImageError` with a reason to read."""
    try:
        yield
    except BadImageError:
        raise
    except FileNotFoundError as error:
        raise BadImageError(shown, _explain_missing(shown)) from error
    except IsADirectoryError as error:
        raise BadImageError(shown, "a folder, not a file") from error
    except PermissionError as error:
        raise BadImageError(shown, "no permission to read it") from error
    except UnidentifiedImageError as error:
        raise BadImageError(shown, _explain_unknown(source, shown)) from error
    except Exception as error:
        raise BadImageError(shown, f"damaged: {error or type(error).__name__}") from error


@contextmanager
def _by_our_rules() -> Iterator[None]:
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
