"""Weights & Biases without a network: what lies in the run folder to be sent later."""

import builtins
import getpass
import logging
from pathlib import Path

import pytest

import discern
from discern.errors import ConfigError
from discern.tracking.identities import load_identity
from discern.tracking.wandb_tracker import WandbTracker

wandb = pytest.importorskip("wandb")
# Its service is a process of its own, which may be slow to end.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _nobody_is_asked(offline_wandb, monkeypatch) -> None:
    def refuse(*_):
        raise AssertionError("nobody may be asked for a login")

    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr(getpass, "getpass", refuse)


def read_texts(folder: Path) -> str:
    """Return what the package wrote to be sent, as far as it is text: its form has no public reader."""
    wandb.teardown()  # which waits until all is written
    (file,) = folder.glob("offline-run-*/*.wandb")
    return file.read_bytes().decode("utf-8", "replace")


def test_a_user_who_is_not_logged_in_gets_a_run_to_be_sent_later(birds, rows, caplog) -> None:
    tracker = WandbTracker()
    tracker.check()
    with caplog.at_level(logging.INFO, logger="discern"):
        tracker.start(birds)
        for row in rows:
            tracker.send_epoch(row)
        tracker.finish(birds, is_complete=True)
    assert f"wandb sync {birds.root / 'wandb' / 'offline-run-'}" in caplog.messages[-1]

    written = read_texts(birds.root / "wandb")
    assert str(load_identity(birds, "wandb")) in written
    results = discern.Run(birds.root).metrics["test"].accuracy
    expected = ["test/accuracy_low", str(results.low), "training.batch_size", "model.safetensors", "bundle.json"]
    expected += ["report.html", *(str(row.train_loss) for row in rows)]
    assert [text for text in expected if text not in written] == []


def test_a_key_that_is_refused_is_an_error_at_once(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short")
    with pytest.raises(ConfigError, match=r"cannot go online .*; log in by `wandb login`, or keep .* WANDB_MODE=off"):
        WandbTracker().check()
