"""Small pictures and the marks of a run, for tests of data."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

MakeFolder = Callable[..., Path]


def draw(seed: int, *, size: tuple[int, int] = (24, 20)) -> Image.Image:
    """A picture of its own for each seed, smooth enough for JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def write_run(folder: Path) -> None:
    """Write the files by which a folder is known to hold a run."""
    (folder / "config.toml").write_text("")
    (folder / "environment.json").write_text("{}")
