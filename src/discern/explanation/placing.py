"""From the square that the network saw back to the whole picture."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.data.reading.preprocess import Preprocess


def place_on_picture(
    values: npt.NDArray[np.float32], picture_size: tuple[int, int], preprocess: Preprocess
) -> npt.NDArray[np.float32]:
    """Put a map (S, S) of the square that the network saw where it belongs on the picture; returns (H, W).

    What was cropped away is 0, since the network did not see it; padding is removed, squashed proportions restored.

    Args:
        values: As `explain_predictions` gives them for one picture.
        picture_size: Width and height in pixels of the upright picture, in its own size or reduced in proportion.
        preprocess: What the square was made with.
    """
    (seen_left, seen_top, seen_right, seen_bottom), target = preprocess.place(*picture_size, size=values.shape[0])
    inside = Image.fromarray(np.asarray(values, dtype=np.float32)).crop(target)
    scale_x = inside.width / (seen_right - seen_left)
    scale_y = inside.height / (seen_bottom - seen_top)
    # Of each pixel of the picture, where its value lies inside the square.
    affine = (scale_x, 0, -seen_left * scale_x, 0, scale_y, -seen_top * scale_y)
    placed = inside.transform(picture_size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return np.asarray(placed)


def fade_unseen(image: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """Return the picture (H, W, 3) with what was cropped away before the network saw it faded to white."""
    height, width = image.shape[:2]
    left, top, right, bottom = (round(edge) for edge in preprocess.place(width, height).seen)
    faded = 255 - (255 - image) // 3
    faded[top:bottom, left:right] = image[top:bottom, left:right]
    return faded
