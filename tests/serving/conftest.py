from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.serving.app import create_app
from pictures import QUICK
from scripted_session import ScriptedSession
from served import load_on_cpu, open_client, serving


@pytest.fixture(scope="session")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in full precision, so that answers do not depend on what they are computed with."""
    from discern.workflows.train import train

    out = tmp_path_factory.mktemp("served") / "colours"
    settings = [*QUICK, "training.phases.*.epochs=8", "learning_rate=2e-3", "run.precision=fp32"]
    train(photos, out=out, recipe="table", overrides=settings, verbose=False)
    return out


@pytest.fixture(scope="session")
def predictor(run: Path) -> Predictor:
    return load(run, device="cpu")


@pytest.fixture(scope="session")
def client(run: Path) -> Iterator[TestClient]:
    with open_client(run) as opened:
        yield opened


@pytest.fixture(scope="session")
def address(run: Path) -> Iterator[str]:
    with serving(create_app({"colours": run}, load_on_cpu)) as opened:
        yield opened


@pytest.fixture
def session(photos: Path, tmp_path: Path) -> ScriptedSession:
    """A labelling of 18 pictures with two classes."""
    paths = [photos / f"{colour}/{number}.png" for number in range(6) for colour in ("red", "green", "blue")]
    return ScriptedSession(paths, tmp_path / "labels.csv", ["red", "green"])
