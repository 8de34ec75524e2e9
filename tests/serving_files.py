"""Pictures as files, for tests of the server."""

import io

import numpy as np
from PIL import Image

from pictures import COLOURS, draw_photo


def encode(image: Image.Image, form: str = "PNG", **options) -> bytes:
    """Return a picture as a file of some format."""
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def draw(colour: str = "red", seed: int = 7) -> Image.Image:
    """Draw a picture like those that the run is trained on."""
    return draw_photo(COLOURS[colour], seed)


def draw_noise(seed: int = 3, size: int = 40) -> Image.Image:
    """Draw what the run has never seen."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8))
