"""A real process, really killed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from discern.errors import DiscernError, RunFolderError
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import QUICK, draw_photos

SETTINGS = [
    *QUICK,
    "training.phases.*.epochs=5",
    "run.determinism=true",
    "run.plots=false",
    "run.report=false",
    "training.batch_size=4",
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
    """Wait until an epoch was saved, and a moment longer, so that the next one is on its way."""
    before = count_epochs(out)
    for _ in range(2400):
        if count_epochs(out) > before and (out / "state" / "state.safetensors").exists():
            time.sleep(0.3)
            return
        assert process.poll() is None, output_of(out).read_text()
        time.sleep(0.05)
    raise AssertionError("no epoch was finished in two minutes")


@pytest.fixture(scope="module")
def killed_run(many_photos, tmp_path_factory):
    """A run that was killed in its second epoch; tests must not change it."""
    out = tmp_path_factory.mktemp("killed") / "run"
    process = start(many_photos, out, *SETTINGS)
    wait_for_next_epoch(out, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return out


@pytest.fixture(scope="module")
def many_photos(tmp_path_factory):
    return draw_photos(tmp_path_factory.mktemp("many"), per_class=60)


def read_result(out: Path):
    history = pd.read_csv(out / "history.csv").drop(columns=["seconds", "images_per_second"])
    return history, load_file(out / "bundle" / "model.safetensors")


@pytest.mark.slow
def test_a_run_that_was_killed_and_one_that_was_interrupted_end_as_if_nothing_had_happened(
    many_photos, killed_run, tmp_path
):
    train(many_photos, out=tmp_path / "whole", recipe="table", overrides=SETTINGS, verbose=False)
    expected_history, expected_weights = read_result(tmp_path / "whole")

    out = shutil.copytree(killed_run, tmp_path / "run")
    assert not (out / "bundle").exists()
    assert count_epochs(out) < 5
    process = start(many_photos, out, *SETTINGS, "--resume")
    wait_for_next_epoch(out, process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert f"Resume with: discern train --resume --out {out}" in output_of(out).read_text()
    assert not (out / ".lock").exists()

    # Without data and settings: the run folder knows both.
    resume(out, verbose=False)
    history, weights = read_result(out)
    pd.testing.assert_frame_equal(history, expected_history)
    assert weights.keys() == expected_weights.keys()
    assert all(weights[name].equal(expected_weights[name]) for name in weights)
    assert not (out / "state").exists()


def test_resuming_with_other_settings_or_data_is_refused_with_what_differs(killed_run, tmp_path):
    out = shutil.copytree(killed_run, tmp_path / "run")
    with pytest.raises(
        RunFolderError,
        match=r"started with other settings: training\.phases\.0\.learning_rate was 0\.0001 and is now 0\.5\.",
    ):
        resume(out, recipe="table", overrides=[*SETTINGS, "learning_rate=0.5"], verbose=False)
    with pytest.raises(DiscernError):
        resume(out, draw_photos(tmp_path / "fewer", per_class=5), verbose=False)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plan.json", "plan.json was changed after the run was started, or is damaged"),
        ("config.toml", "config.toml was changed or removed after the run was started"),
        ("split.csv", "split.csv was changed or removed after the run was started"),
        ("state/state.safetensors", "state.safetensors was changed after it was saved, or is damaged"),
    ],
)
def test_resuming_what_was_edited_is_refused_by_name(killed_run, tmp_path, name, message):
    out = shutil.copytree(killed_run, tmp_path / "run")
    content = bytearray((out / name).read_bytes())
    place = content.rindex(b"4") if name != "state/state.safetensors" else len(content) - 9
    content[place] ^= 1
    (out / name).write_bytes(content)
    with pytest.raises(RunFolderError, match=message):
        resume(out, verbose=False)
