"""The commands on pictures that come packed: where they were unpacked is found again by each of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from discern.data.sources.unpacked import clear_unpacked, measure_unpacked, unpacked_home
from discern.run_folder import RunFolder, load_environment, name_new_run
from discern.training.history import EpochRow
from discern.training.listeners import Listener
from discern.workflows.audit import audit
from discern.workflows.evaluate import evaluate
from discern.workflows.explain import explain
from discern.workflows.predict import predict
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import QUICK, draw_photos


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "home"))
    draw_photos(tmp_path / "photos", per_class=6)
    return Path(shutil.make_archive(str(tmp_path / "birds"), "gztar", tmp_path / "photos"))


def test_every_command_takes_an_archive(archive: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(archive, out=run, recipe="table", overrides=QUICK, verbose=False)
    facts = load_environment(RunFolder(run).environment).data
    assert facts.source == str(archive)
    assert Path(facts.root or "").name == "birds.tar.gz"
    assert sorted(pd.read_csv(run / "split.csv")["path"])[:2] == ["blue/0.png", "blue/1.png"]
    scores = evaluate(run, archive, out=tmp_path / "evaluated", plots=False, verbose=False)
    assert scores.count == 18
    assert (tmp_path / "evaluated" / "known_pictures.csv").is_file()
    assert len(predict(run, archive / "red", verbose=False).frame) == 6
    assert audit(archive, out=tmp_path / "audit", verbose=False).content["count"] == 18
    assert measure_unpacked() > 0
    clear_unpacked()
    moved = archive.rename(tmp_path / "moved.tar.gz")
    explained = explain(run, mistakes=True, out=tmp_path / "explained", data=moved, verbose=False)
    assert len(explained.frame) > 0


class Interrupt(Listener):
    """Ends a training after its first epoch, as Ctrl-C does."""

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_run_finds_its_archive_again(archive: Path, tmp_path: Path) -> None:
    overrides = [*QUICK, "training.phases.*.epochs=2"]
    with pytest.raises(KeyboardInterrupt):
        train(
            archive, out=tmp_path / "run", recipe="table", overrides=overrides, listeners=[Interrupt()], verbose=False
        )
    clear_unpacked()
    assert len(resume(tmp_path / "run", verbose=False).history) == 2


def test_labels_in_names(tmp_path: Path, trained_run: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for photo in draw_photos(tmp_path / "photos", per_class=2).rglob("*.png"):
        photo.rename(flat / f"{photo.parent.name}_{photo.name}")
    pattern = r"(?P<label>.+)_\d+"
    scores = evaluate(trained_run, flat, out=tmp_path / "out", label_pattern=pattern, plots=False, verbose=False)
    assert scores.count == 6


def test_a_run_is_called_after_its_archive(archive: Path) -> None:
    assert name_new_run(archive) == Path("runs/birds")
    assert unpacked_home().is_dir() is False
