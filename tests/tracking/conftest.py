"""A complete run whose folder a test may change, and places for trackers on this machine and without a network."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from discern.run_folder import RunFolder
from discern.training.history import EpochRow, load_history


@pytest.fixture
def birds(trained_run: Path, tmp_path: Path) -> RunFolder:
    """A complete run of its own."""
    return RunFolder(Path(shutil.copytree(trained_run, tmp_path / "birds")))


@pytest.fixture
def rows(birds: RunFolder) -> list[EpochRow]:
    """The epochs of that run."""
    return [EpochRow(**row) for row in load_history(birds.history).to_dict(orient="records")]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store of MLflow as it is made at its first use, which takes seconds."""
    mlflow = pytest.importorskip("mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where the artifacts of the store will lie
        mlflow.MlflowClient(f"sqlite:///{folder / 'empty.db'}").search_experiments(max_results=1)
    return folder / "empty.db"


@pytest.fixture
def mlflow_store(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty store, which the environment names."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return address


@pytest.fixture
def offline_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Weights & Biases of a user who is not logged in."""
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR", "WANDB_PROJECT", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / f"wandb-{name.lower()}"))
    yield
    wandb.teardown()
