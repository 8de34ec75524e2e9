"""The flaws of a real photo: haze, exposure, colour cast, blur, grain and the marks of compression."""

import io

import numpy as np
from PIL import Image, ImageFilter

from discern.demo.geometry import Floats


def take_photo(scene: Image.Image, haze: Floats, rng: np.random.Generator) -> Image.Image:
    """Return the scene as a camera of medium quality sees it; `haze` is the colour (3,), 0 to 1, of the air."""
    scene = _blur(scene, rng)
    pixels = np.asarray(scene, dtype=np.float32) / 255
    thickness = rng.beta(1, 8) * 0.6
    pixels = pixels * (1 - thickness) + np.asarray(haze, dtype=np.float32) * thickness
    pixels = (pixels - 0.5) * rng.uniform(0.88, 1.18) + 0.5
    pixels = pixels * rng.uniform(0.84, 1.16) * rng.normal(1, 0.025, 3)
    grain = 0.022 * rng.random() ** 2
    pixels = pixels + grain * rng.standard_normal(pixels.shape, dtype=np.float32)
    photo = Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    return _compress(photo, rng) if rng.random() < 0.4 else photo


def _blur(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Blur in proportion to the size: out of focus, or by shrinking and enlarging."""
    chance, width = rng.random(), scene.width
    if chance < 0.2:
        return scene.filter(ImageFilter.GaussianBlur(rng.uniform(0.003, 0.009) * width))
    if chance < 0.35:
        small = int(width * rng.uniform(0.6, 0.85))
        return scene.resize((small, small), Image.Resampling.BILINEAR).resize((width, width), Image.Resampling.BILINEAR)
    return scene


def _compress(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Send the photo through a JPEG of low quality."""
    buffer = io.BytesIO()
    photo.save(buffer, format="JPEG", quality=int(rng.integers(28, 70)))
    buffer.seek(0)
    with Image.open(buffer) as reopened:
        return reopened.convert("RGB")
