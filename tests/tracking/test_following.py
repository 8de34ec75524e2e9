"""Trackers follow runs: each one that is registered, what they are told and when, and what becomes of their errors."""

import logging
import shutil

import pytest

import discern
from discern.errors import ConfigError
from discern.tracking.following import TrackerListener, build_trackers, check_trackers
from discern.tracking.tracker import TRACKERS, Tracker
from discern.training.listeners import LogLines
from pictures import QUICK

pytestmark = [
    # As in test_mlflow.py.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
    pytest.mark.filterwarnings("ignore:.*type hint .*is inferred as AnyType:UserWarning"),
]

PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}
SLOW = {"wandb": pytest.mark.slow}  # as in test_wandb.py


class Notes(Tracker):
    """Notes what it is told, and fails where it is asked to."""

    def __init__(self) -> None:
        self.notes: list = []
        self.fails_at: set = set()

    def check(self) -> None:
        self.note("check")

    def start(self, folder) -> None:
        assert folder.plan.is_file()
        self.note(("start", folder.root.name))

    def send_epoch(self, row) -> None:
        self.note(row.epoch)

    def finish(self, folder, *, is_complete) -> None:
        assert not is_complete or folder.is_complete()
        self.note(("finish", folder.root.name, is_complete))

    def note(self, event) -> None:
        if event in self.fails_at:
            self.fails_at.discard(event)
            raise ConnectionError("the server is away")
        self.notes.append(event)


@pytest.fixture
def notes(monkeypatch) -> Notes:
    """A tracker that `trackers=["notes"]` names."""
    tracker = Notes()
    monkeypatch.setitem(TRACKERS._entries, "notes", lambda: tracker)
    return tracker


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in sorted(TRACKERS)])
def test_each_tracker_keeps_a_whole_run_and_warns_of_nothing(
    name, birds, rows, mlflow_store, offline_wandb, caplog
) -> None:
    pytest.importorskip(PACKAGES[name])
    check_trackers([name])
    (listener,) = build_trackers([name])
    epochs = birds.history.read_bytes()
    birds.history.unlink()
    listener.on_run_start(birds)
    for count in range(1, len(rows) + 1):
        listener.on_epoch_end(rows[:count], is_best=True)
    birds.history.write_bytes(epochs)
    listener.on_run_end(birds, is_complete=True)
    assert [record for record in caplog.records if record.name == "discern" and record.levelno > logging.INFO] == []


@pytest.mark.parametrize("name", sorted(TRACKERS))
def test_each_tracker_without_its_package_says_what_to_install(name, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, PACKAGES[name], None)
    monkeypatch.delitem(__import__("sys").modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(ConfigError) as caught:
        check_trackers([name])
    assert str(caught.value) == f"the tracker {name} needs an extra: pip install 'discern-vision[{name}]'"


def test_tensorboard_has_the_curves_and_the_results(birds, rows) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracker = TRACKERS["tensorboard"]()
    tracker.start(birds)
    for row in rows:
        tracker.send_epoch(row)
    tracker.finish(birds, is_complete=True)
    events = EventAccumulator(str(birds.tensorboard)).Reload()
    curve = [(point.step, point.value) for point in events.Scalars("accuracy/validation")]
    assert curve == [(row.epoch, pytest.approx(row.validation_accuracy)) for row in rows]
    accuracy = discern.Run(birds.root).metrics["test"].accuracy
    assert events.Scalars("test/accuracy_low")[0].value == pytest.approx(accuracy.low)


def test_a_name_that_is_no_tracker_is_refused_before_any_picture_is_read(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no tracker 'mflow': did you mean mlflow"):
        discern.train(tmp_path / "no-pictures", trackers="mflow")


def test_an_interrupted_run_is_told_of_and_goes_on_where_it_was(photos, tmp_path, notes, monkeypatch) -> None:
    out, overrides = tmp_path / "birds", [*QUICK, "training.phases.*.epochs=3"]
    with monkeypatch.context() as patch:
        patch.setattr(LogLines, "on_epoch_end", _stop_after_two)
        with pytest.raises(KeyboardInterrupt):
            discern.train(photos, out=out, recipe="table", overrides=overrides, trackers=["notes"])
    without = shutil.copytree(out, tmp_path / "without")
    discern.resume(out)
    before, after = [1, 2, ("finish", "birds", False)], [3, ("finish", "birds", True)]
    assert notes.notes == ["check", ("start", "birds"), *before, "check", ("start", "birds"), *after]
    notes.notes.clear()
    discern.resume(without, trackers=[])  # as where the server of the tracker is gone
    assert notes.notes == []


def _stop_after_two(self, rows, *, is_best) -> None:
    if len(rows) == 2:
        raise KeyboardInterrupt


def test_a_run_in_folds_is_followed_as_a_whole_and_in_its_parts(photos, tmp_path, notes) -> None:
    discern.train(photos, out=tmp_path / "birds", recipe="table", overrides=QUICK, folds=2, trackers=["notes"])
    parts = [("start", "1"), 1, ("finish", "1", True), ("start", "2"), 1, ("finish", "2", True)]
    assert notes.notes == ["check", ("start", "birds"), *parts, ("finish", "birds", True)]


@pytest.mark.parametrize(
    ("fails_at", "expected"),
    [
        (2, [("start", "birds"), 1, 2, 3, ("finish", "birds", True)]),
        (("start", "birds"), [("start", "birds"), 1, 2, 3, ("finish", "birds", True)]),
        (("finish", "birds", True), [("start", "birds"), 1, 2, 3]),
    ],
)
def test_a_tracker_that_fails_is_a_warning_and_is_tried_again_at_the_end(
    fails_at, expected, birds, rows, caplog
) -> None:
    birds.history.unlink()
    tracker = Notes()
    tracker.fails_at = {fails_at}
    listener = TrackerListener("notes", tracker)
    with caplog.at_level(logging.WARNING, logger="discern"):
        listener.on_run_start(birds)
        for count in (1, 2, 3):
            listener.on_epoch_end(rows[:count], is_best=False)
        listener.on_run_end(birds, is_complete=True)
    assert tracker.notes == expected
    reason = "notes failed (ConnectionError: the server is away); "
    again = "the run goes on, and notes is tried again at its end"
    lost = f"notes does not have the whole run; {birds.root} does"
    assert caplog.messages == [reason + (again if expected[-1] != 3 else lost)]
