"""From the bytes of an upload to what the network takes; called in threads beside the event loop."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError
from torch import Tensor

from discern.data.reading.decode import decode_image, is_decoded_reduced, read_header
from discern.data.reading.reduced import Covering
from discern.errors import BadImageError
from discern.predictor.bundle import Bundle
from discern.serving.limits import Limits
from discern.serving.refusals import BAD_REQUEST, TOO_LARGE, UNSUPPORTED, UNUSABLE, Refusal
from discern.serving.uploads import Upload

_LARGE_PIXELS = 10_000_000
_one_large_picture = threading.Lock()
"""Larger pictures are decoded one after the other, so that several do not fill the memory at once."""


def fit_upload(upload: Upload, bundle: Bundle, limits: Limits) -> Tensor:
    """Return the picture as `Preprocess.fit_image` gives it, uint8 (3, S, S).

    Raises:
        Refusal: It cannot be decoded, or is larger than is allowed.
    """
    return bundle.preprocess.fit_image(_decode(upload, bundle, limits, bundle.preprocess.needed_size))


def fit_upload_again(upload: Upload, bundle: Bundle, limits: Limits) -> Tensor | None:
    """Return what `fit_upload` does, decoded whole; None where it was decoded whole before.

    Raises:
        Refusal: As `fit_upload`.
    """
    with _refusing():
        if not is_decoded_reduced(io.BytesIO(upload.content), bundle.preprocess.needed_size):
            return None
    return bundle.preprocess.fit_image(_decode(upload, bundle, limits, None))


def shrink_upload(upload: Upload, bundle: Bundle, limits: Limits, side_pixels: int) -> Image.Image:
    """Return the whole picture, upright, no side above `side_pixels`.

    Raises:
        Refusal: As `fit_upload`.
    """
    image = _decode(upload, bundle, limits, lambda _width, _height: (side_pixels, side_pixels))
    image.thumbnail((side_pixels, side_pixels))
    return image


def _decode(upload: Upload, bundle: Bundle, limits: Limits, covering: Covering | None) -> Image.Image:
    if not upload.content:
        raise Refusal(BAD_REQUEST, "the file is empty")
    if len(upload.content) > limits.max_picture_bytes:
        raise Refusal(
            TOO_LARGE, f"{len(upload.content):,} bytes are more than the limit of {limits.max_picture_bytes:,}"
        )
    max_pixels, depth_range = min(bundle.max_pixels, limits.max_pixels), bundle.preprocess.depth_range
    with _refusing():
        header = read_header(io.BytesIO(upload.content), max_pixels=bundle.max_pixels, name=upload.name)
        pixels = header.width_pixels * header.height_pixels
        if pixels > max_pixels:
            size = f"{header.width_pixels} x {header.height_pixels}"
            raise Refusal(TOO_LARGE, f"{size} is more than the limit of {max_pixels:,} pixels")
        if pixels <= _LARGE_PIXELS:
            return decode_image(upload.content, max_pixels=max_pixels, covering=covering, depth_range=depth_range)
        with _one_large_picture:
            return decode_image(upload.content, max_pixels=max_pixels, covering=covering, depth_range=depth_range)


@contextmanager
def _refusing() -> Iterator[None]:
    """Give what is wrong with a picture the status that says whose fault it is."""
    try:
        yield
    except BadImageError as error:
        raise Refusal(_find_status(error), error.reason) from None


def _find_status(error: BadImageError) -> int:
    cause = error.__cause__
    if isinstance(cause, UnidentifiedImageError):
        return UNSUPPORTED
    # Our own limit has no cause.
    is_too_large = isinstance(cause, Image.DecompressionBombError | Image.DecompressionBombWarning) or cause is None
    return TOO_LARGE if is_too_large and "pixels" in error.reason else UNUSABLE
