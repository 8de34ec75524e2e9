"""What other programs see of a training that runs, and how they end it."""

import json

import pytest

from discern.planning.plan import PhasePlan
from discern.run_folder import RunFolder
from discern.training.history import EpochRow, load_history
from discern.training.listeners import Listener
from discern.training.progress_file import ProgressFile, load_progress
from discern.workflows.train import train
from pictures import QUICK
from saved_runs import build_plan

ROW = EpochRow("head", 1, 0.5, 0.8, 0.6, 0.7, 1e-3, 2.0, 50.0)


class Watcher(Listener):
    """Keeps what progress.json says after each epoch, and asks for the end in the second."""

    def __init__(self, out):
        self.folder = RunFolder(out)
        self.seen = []

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:
        if epoch == 2:
            self.folder.finish_request.touch()

    def on_batch(self, result) -> None:
        self.seen.append(load_progress(self.folder.progress))


def test_a_run_that_is_asked_to_finish_keeps_the_best_epoch_and_is_complete(photos, tmp_path):
    watcher = Watcher(tmp_path / "run")
    run = train(
        photos,
        out=tmp_path / "run",
        recipe="table",
        overrides=[*QUICK, "training.phases.*.epochs=9"],
        listeners=[watcher],
        verbose=False,
    )
    assert len(load_history(run.folder.history)) == 2
    assert run.folder.is_complete()
    assert run.metrics["test"].count > 0
    assert not run.folder.progress.exists()
    assert not run.folder.finish_request.exists()
    last = watcher.seen[-1]
    assert (last.part, last.epoch, last.epochs) == ("training", 2, 9)


def test_progress_counts_epochs_over_all_phases_and_forecasts_the_last(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("discern.training.progress_file.time.monotonic", lambda: now[0])
    head, everything = build_plan().phases
    file = ProgressFile(tmp_path / "progress.json", (head, everything))
    file.on_phase_start(head, 0)
    file.on_epoch_start(head, 1, 4)
    for _ in range(2):
        now[0] += 2
        file.on_batch(None)
    seen = load_progress(tmp_path / "progress.json")
    assert (seen.phase, seen.epoch, seen.epochs, seen.batch, seen.seconds_left) == ("head", 1, 8, 2, None)
    file.on_epoch_end([ROW], is_best=True)
    file.on_phase_start(everything, 0)
    file.on_epoch_start(everything, 1, 4)
    now[0] += 10
    file.on_batch(None)
    seen = load_progress(tmp_path / "progress.json")
    assert (seen.epoch, seen.epochs) == (2, 6)
    assert seen.seconds_left == pytest.approx(10 * 4 * 5 - 10)
    file.on_end()
    assert json.loads((tmp_path / "progress.json").read_text())["part"] == "results"
    file.on_run_end(RunFolder(tmp_path), is_complete=True)
    assert not (tmp_path / "progress.json").exists()


def test_a_budget_says_when_the_run_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("discern.training.progress_file.time.monotonic", lambda: 100.0)
    head, everything = build_plan().phases
    file = ProgressFile(tmp_path / "progress.json", (head, everything), ends=130.0, fold=2)
    file.on_epoch_start(head, 1, 4)
    seen = load_progress(tmp_path / "progress.json")
    assert (seen.seconds_left, seen.fold) == (30.0, 2)


def test_a_file_that_cannot_be_written_does_not_end_the_training(tmp_path):
    head, _ = build_plan().phases
    file = ProgressFile(tmp_path / "missing" / "progress.json", (head,))
    file.on_epoch_start(head, 1, 4)
    file.on_run_end(RunFolder(tmp_path), is_complete=False)
    assert load_progress(tmp_path / "missing" / "progress.json") is None
