"""What a picture is decoded from, and its name in errors."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

ImageSource = str | Path | bytes | BinaryIO | Image.Image | npt.NDArray[np.generic]


def name_source(source: ImageSource) -> str:
    """Return what errors call a picture: its path, or what is known of one that has none."""
    if isinstance(source, str | Path):
        return str(source)
    if isinstance(source, bytes):
        return f"{len(source)} bytes"
    if isinstance(source, np.ndarray):
        return f"array of shape {source.shape}"
    return str(getattr(source, "name", "") or getattr(source, "filename", "") or type(source).__name__)
