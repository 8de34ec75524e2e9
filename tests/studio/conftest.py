from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from discern.serving.guard import Access
from discern.studio.app import create_studio_app
from pictures import draw_photos


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a folder of classes and a heap; beside it lies what must never be read."""
    folder = tmp_path / "studio"
    draw_photos(folder / "photos", per_class=2)
    draw_photos(tmp_path / "secret", per_class=1)
    heap = folder / "heap"
    heap.mkdir()
    for number, picture in enumerate(sorted((folder / "photos").rglob("*.png"))):
        (heap / f"{number}.png").write_bytes(picture.read_bytes())
    return folder


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    app = create_studio_app(root, Access({"localhost"}, "token"))
    headers = {"Authorization": "Bearer token"}
    with TestClient(app, base_url="http://localhost", headers=headers) as opened:
        yield opened
