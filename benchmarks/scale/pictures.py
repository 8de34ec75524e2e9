"""Small drawn pictures in any number: different ones, and blends of a few."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE_PIXELS = 64
_CLASSES = 10
_SOURCES = 6
"""Pictures that the blends are made of."""
_COARSE, _FINE = 5, 16

Pixels = npt.NDArray[np.float32]
KINDS = ("different", "blends")


def draw_set(folder: Path, kind: str, count: int) -> Path:
    """Draw class folders of JPEG files, unless the folder has them all already."""
    finished, wanted = folder.with_suffix(".json"), {"kind": kind, "count": count}
    if finished.is_file() and json.loads(finished.read_text(encoding="utf-8")) == wanted:
        return folder
    draw = _choose_painter(kind)
    for label in range(_CLASSES):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        label = number % _CLASSES
        pixels = draw(np.random.default_rng((KINDS.index(kind), number)), label).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"class{label}" / f"{number:06d}.jpg", quality=85)
    finished.write_text(json.dumps(wanted), encoding="utf-8")
    return folder


def _choose_painter(kind: str) -> Callable[[np.random.Generator, int], Pixels]:
    if kind == "different":
        return _draw_different
    rng = np.random.default_rng(0)
    return partial(_blend, np.stack([_draw_different(rng, 2 * number) for number in range(_SOURCES)]))


def _draw_different(rng: np.random.Generator, label: int) -> Pixels:
    """Draw colours of its own, tinted by its class, so that hardly two pictures are alike."""
    tint = 60 * np.cos(2 * np.pi * (label / _CLASSES + np.arange(3) / 3))
    coarse = _enlarge(rng.integers(0, 256, (_COARSE, _COARSE, 3), dtype=np.uint8))
    fine = _enlarge(rng.integers(0, 256, (_FINE, _FINE, 3), dtype=np.uint8))
    return np.asarray(0.6 * coarse + 0.4 * fine + tint, np.float32)


def _blend(sources: Pixels, rng: np.random.Generator, label: int) -> Pixels:
    """Mix one source, which gives the class, with another: a crowd of pictures that are nearly alike."""
    share = rng.uniform(0.5, 0.9)
    return share * sources[label % _SOURCES] + (1 - share) * sources[rng.integers(_SOURCES)]


def _enlarge(small: npt.NDArray[np.uint8]) -> Pixels:
    image = Image.fromarray(small).resize((SIDE_PIXELS, SIDE_PIXELS), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)
