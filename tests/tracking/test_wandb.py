"""Weights & Biases without a network: what lies in the run folder to be sent later."""

import builtins
import getpass
import logging
from pathlib import Path

import pytest

from discern.errors import ConfigError
from discern.tracking.identities import load_identity
from discern.tracking.wandb_tracker import WandbTracker

pytest.importorskip("wandb")


@pytest.fixture(autouse=True)
def _nobody_is_asked(offline_wandb, monkeypatch) -> None:
    def refuse(*_):
        raise AssertionError("nobody may be asked for a login")

    monkeypatch.setattr(builtins, "input", refuse)
    monkeypatch.setattr(getpass, "getpass", refuse)


def read_records(folder: Path) -> list:
    """Read what the package wrote to be sent, by its own reader."""
    from wandb.proto import wandb_internal_pb2
    from wandb.sdk.internal import datastore

    (file,) = folder.glob("offline-run-*/*.wandb")
    store = datastore.DataStore()
    store.open_for_scan(str(file))
    records = []
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        records.append(record)
    store.close()
    return records


def test_a_user_who_is_not_logged_in_gets_a_run_to_be_sent_later(birds, rows, caplog) -> None:
    tracker = WandbTracker()
    tracker.check()
    with caplog.at_level(logging.INFO, logger="discern"):
        tracker.start(birds)
        for row in rows:
            tracker.send_epoch(row)
        tracker.finish(birds, is_complete=True)
    assert f"wandb sync {birds.root / 'wandb' / 'offline-run-'}" in caplog.messages[-1]

    records = read_records(birds.root / "wandb")
    (begun,) = [record.run for record in records if record.HasField("run")]
    assert (begun.run_id, begun.display_name, begun.project) == (load_identity(birds, "wandb"), "birds", "discern")
    epochs = [
        {(item.key or item.nested_key[0]): item.value_json for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    assert [float(epoch["loss/train"]) for epoch in epochs] == [row.train_loss for row in rows]
    summary = {item.key or item.nested_key[0] for record in records for item in record.summary.update}
    assert {"test/accuracy", "test/accuracy_low", "test/accuracy_high"} <= summary
    sent = {
        entry.path: entry.local_path
        for record in records
        for entry in record.request.log_artifact.artifact.manifest.contents or record.artifact.manifest.contents
    }
    assert {"model.safetensors", "bundle.json", "report.html"} <= set(sent)


def test_a_key_that_is_refused_is_an_error_at_once(monkeypatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short")
    with pytest.raises(ConfigError, match=r"cannot go online .*; log in by `wandb login`, or keep .* WANDB_MODE=off"):
        WandbTracker().check()
