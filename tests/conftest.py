"""What tests of several rooms share: drawn pictures, a trained run, and the place of real pictures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import open_browser
from pictures import QUICK, WITH_PAGE, draw_photos

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def _home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what is kept between runs out of the user's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("DISCERN_HOME", str(home))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        yield


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three classes with twelve pictures each; tests must not change it."""
    return draw_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="session")
def trained_run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run on `photos`; tests must not change it."""
    from discern.workflows.train import train

    out = tmp_path_factory.mktemp("runs") / "trained"
    train(
        photos,
        out=out,
        recipe="table",
        overrides=[*QUICK, *WITH_PAGE, "training.phases.*.epochs=8", "learning_rate=2e-3"],
    )
    return out


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real pictures beside the checkout."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real pictures in {folder}")
    return folder


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    """Real ImageNet weights for timm's mobilenetv2_100."""
    path = SHARED / "weights" / "mobilenetv2_100_in1k_stockpad.safetensors"
    if not path.is_file():
        pytest.skip(f"needs the real weights in {path}")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """A headless browser; it ends with its module, since nothing else may run an event loop beside it."""
    with open_browser() as opened:
        yield opened
