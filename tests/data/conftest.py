"""Small pictures and folders to test with."""

from pathlib import Path

import pytest

from data_pictures import MakeFolder, draw
from discern.data.reading.preprocess import Preprocess


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
