"""The one way from a file, bytes, an array or a PIL picture to upright 8-bit RGB."""

from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.data.reading.deep_pixels import (
    DEEP_MODES,
    DeepValues,
    DepthRange,
    build_deep_values,
    scale_deep,
    scale_range,
    scale_sixteen_bit,
)
from discern.data.reading.file_content import read_bytes
from discern.data.reading.image_source import ImageSource, name_source
from discern.data.reading.opening import check_strict, open_header, open_whole
from discern.data.reading.orientation import read_orientation, turn_upright
from discern.data.reading.reduced import Covering, can_be_reduced, load_reduced
from discern.data.reading.refusal import refusing
from discern.errors import BadImageError

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

_WHITE = (255, 255, 255, 255)


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
    check_strict()
    shown = name or name_source(source)
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source, max_pixels, shown, depth_range), shown, depth_range)
    with refusing(shown, source):
        image = source if isinstance(source, Image.Image) else open_whole(read_bytes(source))
        _check_size(image, max_pixels, shown)
        if covering is None or image is source:
            image.load()
        else:
            image = load_reduced(image, covering)
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
    with refusing(name):
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
    check_strict()
    with refusing(name, content):
        image = open_whole(content)
        _check_size(image, max_pixels, name)
        header = ImageHeader(image.format or "", image.mode, image.width, image.height)
        orientation = read_orientation(image)
        is_animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        upright = turn_upright(load_reduced(image, covering))
        return Inspection(header, orientation, is_animated, _to_rgb(upright, name, depth_range))


def read_file(path: str) -> bytes:
    """Return the bytes of a file.

    Raises:
        BadImageError: It is not there, or cannot be read.
    """
    with refusing(path):
        return read_bytes(path)


def read_header(source: str | Path | BinaryIO, *, max_pixels: int = MAX_PIXELS, name: str = "") -> ImageHeader:
    """Read the header of a file, without its pixels; `name` is what errors call it.

    Raises:
        BadImageError: It is no picture of a supported type, or too large.
    """
    shown = name or name_source(source)
    with refusing(shown, source), open_header(source) as image:
        _check_size(image, max_pixels, shown)
        return ImageHeader(image.format or "", image.mode, image.width, image.height)


def read_deep_values(path: str, *, max_pixels: int = MAX_PIXELS) -> DeepValues | None:
    """Return the values of a picture of more than 8 bits, as they are stored; None for any other picture.

    Raises:
        BadImageError: It cannot be decoded.
    """
    with refusing(path, path), open_header(path) as image:
        _check_size(image, max_pixels, path)
        if not image.mode.startswith(DEEP_MODES):
            is_colour = image.mode in ("RGB", "RGBA") and ";16" in repr(getattr(image, "tile", ""))
            # Pillow gives the higher byte only.
            return DeepValues(np.asarray(image, dtype=np.float32) * 257, 65535, is_colour) if is_colour else None
        return build_deep_values(np.asarray(image, dtype=np.float32), is_float=image.mode == "F")


def is_decoded_reduced(source: str | Path | BinaryIO, covering: Covering, *, max_pixels: int = MAX_PIXELS) -> bool:
    """Return whether `decode_image` reads a file at a fraction of its size; only the header is read.

    Raises:
        BadImageError: It is no picture of a supported type, or too large.
    """
    shown = name_source(source)
    with refusing(shown, source), open_header(source) as image:
        _check_size(image, max_pixels, shown)
        return can_be_reduced(image, covering)


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
