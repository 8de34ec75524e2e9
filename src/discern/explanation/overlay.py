"""A map of evidence drawn over its picture."""

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image

COLOR_MAP = "inferno"
"""From black over red to light yellow: lightness alone shows the strength, so it works without seeing colours."""

_STRONGEST_COVER = 0.65
"""How much of the picture the colour hides where the evidence is strongest; without evidence it hides nothing."""


def overlay_map(image: npt.NDArray[np.uint8], values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Draw a map (h, w) in 0..1, stretched to its size, over a picture uint8 (H, W, 3).

    The picture is shown in grey, so that all colours come from the map.
    """
    height, width = image.shape[:2]
    strength = np.clip(np.asarray(values, dtype=np.float32), 0, 1)
    if strength.shape != (height, width):
        resized = Image.fromarray(strength).resize((width, height), Image.Resampling.BILINEAR)
        strength = np.asarray(resized)
    grey = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float32)[..., None]
    colors = 255 * mpl.colormaps[COLOR_MAP](strength)[..., :3].astype(np.float32)
    cover = _STRONGEST_COVER * strength[..., None]
    return np.rint((1 - cover) * grey + cover * colors).astype(np.uint8)
