"""Small pictures and folders to test with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discern.data.preprocess import Preprocess

MakeFolder = Callable[..., Path]


def draw(seed: int, *, size: tuple[int, int] = (24, 20)) -> Image.Image:
    """A picture of its own for each seed, smooth enough for JPEG."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def write_run(folder: Path) -> None:
    """Write the files by which a folder is known to hold a run."""
    (folder / "config.toml").write_text("")
    (folder / "environment.json").write_text("{}")


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Draw pictures into a folder, given as {"ants": 3, "train/bees": 2}."""

    def make(counts: dict[str, int], *, name: str = "photos") -> Path:
        root = tmp_path / name
        for place, count in counts.items():
            (root / place).mkdir(parents=True, exist_ok=True)
            for number in range(1, count + 1):
                draw(1000 * len(place) + number).save(root / place / f"{number}.png")
        root.mkdir(exist_ok=True)
        return root

    return make


@pytest.fixture
def preprocess() -> Preprocess:
    return Preprocess(16, "squash", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
