"""A real process, really killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from pictures import QUICK, draw_photos

SETTINGS = [
    *QUICK,
    "training.phases.*.epochs=6",
    "run.determinism=true",
    "training.batch_size=2",
    "training.ema_decay=0.9",
    "dropout=0.2",
]


def start(photos: Path, out: Path, *more: str) -> "subprocess.Popen[bytes]":
    """Start a training whose output goes to a file beside its run folder."""
    command = [sys.executable, "-m", "discern", "train", str(photos), "--recipe", "table", "--out", str(out), *more]
    with output_of(out).open("w") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, preexec_fn=_listen_to_interrupts)


def _listen_to_interrupts() -> None:
    """Undo what a shell does to jobs in the background, whose children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def output_of(out: Path) -> Path:
    return out.with_suffix(".txt")


def count_epochs(out: Path) -> int:
    history = out / "history.csv"
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


def wait_for_next_epoch(out: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until history.csv has a new row, and a moment longer, so that the next epoch is on its way."""
    before = count_epochs(out)
    for _ in range(2400):
        if count_epochs(out) > before:
            time.sleep(0.3)
            return
        assert process.poll() is None, output_of(out).read_text()
        time.sleep(0.05)
    raise AssertionError("no epoch was finished in two minutes")


@pytest.fixture(scope="module")
def many_photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("many"), per_class=80)


def read_result(out: Path):
    history = pd.read_csv(out / "history.csv").drop(columns=["seconds", "images_per_second"])
    return history, load_file(out / "bundle" / "model.safetensors")


def test_a_run_that_was_killed_and_one_that_was_interrupted_end_as_if_nothing_had_happened(many_photos, tmp_path):
    whole = start(many_photos, tmp_path / "whole", *SETTINGS)
    assert whole.wait() == 0, output_of(tmp_path / "whole").read_text()
    expected_history, expected_weights = read_result(tmp_path / "whole")

    out = tmp_path / "killed"
    process = start(many_photos, out, *SETTINGS)
    wait_for_next_epoch(out, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "bundle").exists()

    process = start(many_photos, out, *SETTINGS, "--resume")
    wait_for_next_epoch(out, process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert f"Resume with: discern train --resume --out {out}" in output_of(out).read_text()

    # Without data and settings: the run folder knows both.
    process = subprocess.run(
        [sys.executable, "-m", "discern", "train", "--resume", "--out", str(out)], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    history, weights = read_result(out)
    pd.testing.assert_frame_equal(history, expected_history)
    assert weights.keys() == expected_weights.keys()
    assert all(weights[name].equal(expected_weights[name]) for name in weights)
    assert not (out / "state").exists()

    refused = start(many_photos, out, "--resume")
    assert refused.wait() == 2
    assert "is complete; there is nothing to resume" in output_of(out).read_text()


def test_resuming_with_other_settings_or_data_is_refused_with_what_differs(many_photos, tmp_path):
    out = tmp_path / "run"
    process = start(many_photos, out, *SETTINGS)
    wait_for_next_epoch(out, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    other = start(many_photos, out, *SETTINGS, "learning_rate=0.5", "--resume")
    assert other.wait() == 2
    assert "started with other settings: training.phases.0.learning_rate was 0.0001 and is now 0.5." in (
        output_of(out).read_text()
    )
    fewer = draw_photos(tmp_path / "fewer", per_class=5)
    other = start(fewer, out, "--resume")
    assert other.wait() == 2
    assert "Traceback" not in output_of(out).read_text()
