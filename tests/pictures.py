"""Small drawn pictures, and settings under which any recipe takes a second."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

QUICK = (
    "model.backbone=resnet18-half",
    "model.weights=none",
    "data.image_size=32",
    "training.batch_size=8",
    "training.phases.*.epochs=1",
    "run.threads=1",
    "run.report=false",
    "run.plots=false",
)
"""Overrides under which any recipe takes a second; drawing the plots and the page would take three more."""

WITH_PAGE = ("run.report=true", "run.plots=true")
"""To be added where the plots or the page are looked at."""

COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


def draw_photo(colour: tuple[int, int, int], seed: int, *, size: int = 40) -> Image.Image:
    """Draw a blot of a colour on grey noise: easy to tell, and no two alike."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(90, 160, (size, size, 3), dtype=np.uint8))
    left, top = rng.integers(0, size // 2, 2).tolist()
    ImageDraw.Draw(image).ellipse((left, top, left + size // 2, top + size // 2), fill=colour)
    return image


def draw_photos(folder: Path, *, per_class: int = 12, first_seed: int = 0) -> Path:
    """Write class folders blue, green and red of PNG files."""
    for place, (name, colour) in enumerate(COLOURS.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(per_class):
            draw_photo(colour, first_seed + 1000 * place + number).save(folder / name / f"{number}.png")
    return folder
