"""Loads a JPEG at a fraction of its size, which takes a fraction of the time."""

import math
from collections.abc import Callable

from PIL import Image

from discern.data.reading.opening import by_our_rules
from discern.data.reading.orientation import is_on_its_side

Covering = Callable[[int, int], tuple[int, int]]
"""Maps width and height of an upright picture to the width and height that are needed of it, in pixels."""


def load_reduced(image: Image.Image, covering: Covering) -> Image.Image:
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
    with by_our_rules():
        return image.crop((0, 0, *inside))


def can_be_reduced(image: Image.Image, covering: Covering) -> bool:
    """Return whether `load_reduced` would load a picture at a fraction of its size.

    Pillow then remembers that size: to be loaded whole, the picture must be opened anew.
    """
    if image.format not in ("JPEG", "MPO"):
        return False
    stored = image.size
    with by_our_rules():
        image.draft(None, _needed_as_stored(image, covering))
    return image.size != stored


def _needed_as_stored(image: Image.Image, covering: Covering) -> tuple[int, int]:
    """Return the width and height that are needed of a picture, in the orientation in which it is stored."""
    on_its_side = is_on_its_side(image)
    width, height = covering(*(image.size[::-1] if on_its_side else image.size))
    return (height, width) if on_its_side else (width, height)
