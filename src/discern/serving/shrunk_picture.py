"""A small copy of a picture, and how it is sent to a page."""

from functools import lru_cache

from fastapi import Response

from discern.data.reading.decode import decode_image
from discern.data.reading.deep_pixels import DepthRange
from discern.errors import BadImageError
from discern.serving.heat_maps import MEDIA_TYPE, encode_jpeg
from discern.serving.refusals import NOT_FOUND, Refusal

_SIDE_PIXELS = 256


@lru_cache(maxsize=256)
def shrink_file(path: str, depth_range: DepthRange | None, side_pixels: int = _SIDE_PIXELS) -> bytes:
    """Return a small copy of a picture as a JPEG, no side above `side_pixels`.

    Raises:
        Refusal: It cannot be read any more.
    """
    try:
        image = decode_image(path, covering=lambda _width, _height: (side_pixels, side_pixels), depth_range=depth_range)
    except BadImageError:
        raise Refusal(NOT_FOUND, "the file of this picture cannot be read any more") from None
    image.thumbnail((side_pixels, side_pixels))
    return encode_jpeg(image)


def send_picture(content: bytes) -> Response:
    """Return a small copy as an answer, which the browser alone may keep, for five minutes."""
    return Response(content, media_type=MEDIA_TYPE, headers={"Cache-Control": "private, max-age=300"})
