"""Small pictures for the page: a map of evidence over its picture, and pictures of files."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.data.reading.preprocess import Preprocess
from discern.explanation.overlay import overlay_map
from discern.explanation.placing import fade_unseen, place_on_picture

SHOWN_PIXELS = 480
"""No side of a heat map is longer."""

MEDIA_TYPE = "image/jpeg"
"""Of all pictures for the page: photos are several times smaller as JPEG than as PNG."""

_JPEG_QUALITY = 85


def draw_heat_map(shown: Image.Image, values: npt.NDArray[np.float32], preprocess: Preprocess) -> str:
    """Return the picture with the map (S, S) of its square over it, as a data: URL."""
    placed = place_on_picture(values, shown.size, preprocess)
    drawn = fade_unseen(overlay_map(np.asarray(shown), placed), preprocess)
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(encode_jpeg(Image.fromarray(drawn))).decode()}"


def encode_jpeg(image: Image.Image) -> bytes:
    """Return an RGB picture as the bytes of a file of `MEDIA_TYPE`."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
