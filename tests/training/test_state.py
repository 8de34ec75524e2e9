"""The state of a training as a file that may be damaged, edited or made to do harm."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from discern.errors import RunFolderError
from discern.training.state import STATE_FILE, FrozenWeights, Progress, TrainingState, compute_checksum
from discern.training.state_loading import load_state, restoring

CHANGED = "was changed after it was saved, or is damaged: its checksum is not that of its content; restore it"


@pytest.fixture
def folder(tmp_path):
    state = TrainingState(Progress(phase_index=1), FrozenWeights(1, {"stem": torch.arange(4.0)}))
    state.put_weights("classifier", {"stem": torch.arange(4.0), "head": torch.ones(3, 2)})
    state.put_tensors("random/0", {"cpu": torch.zeros(5, dtype=torch.uint8), "flag": torch.tensor(True)})
    state.save(tmp_path)
    return tmp_path


def rewrite(folder, change_tensors=lambda tensors: None, *, signed=False, **progress):
    """Edit a state, and sign it again if asked for."""
    path = folder / STATE_FILE
    with safe_open(path, framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    change_tensors(tensors)
    metadata["progress"] = json.dumps(json.loads(metadata["progress"]) | progress)
    if signed:
        metadata["checksum"] = compute_checksum(tensors, metadata["progress"])
    save_file(tensors, path, metadata=metadata)


def test_a_state_survives_a_round_trip(folder):
    state = load_state(folder)
    assert state.progress.phase_index == 1
    assert state.get_weights("classifier").keys() == {"stem", "head"}
    state.save(folder)
    load_state(folder)


def test_edits_are_refused_by_the_name_of_the_file(folder):
    rewrite(folder, spent_seconds=-1e9)
    with pytest.raises(RunFolderError, match=rf"{STATE_FILE} {CHANGED}"):
        load_state(folder)


def test_edited_tensors_are_refused(folder):
    rewrite(folder, lambda tensors: tensors["classifier/head"].mul_(2))
    with pytest.raises(RunFolderError, match=rf"{STATE_FILE} {CHANGED}"):
        load_state(folder)


def test_edits_of_frozen_weights_are_refused(folder):
    save_file({"stem": torch.arange(4.0) + 1}, folder / "frozen-1.safetensors")
    with pytest.raises(RunFolderError, match=rf"frozen-1.safetensors {CHANGED}"):
        load_state(folder)


@pytest.mark.parametrize(
    "progress",
    [
        {"phase_index": -1},
        {"phase_index": 10**30},
        {"rows": [[]]},
        {"rows": [{}]},
        {"frozen": "../../secret"},
        {"random": [{"python": [3, [], None], "numpy": "x"}]},
        {"optimizer": {"groups": 5, "numbers": {}}},
        {"version": "x" * 5000},
        {"phase": {"epochs_done": "many"}},
    ],
)
def test_what_is_edited_and_signed_again_is_refused_too(folder, progress):
    rewrite(folder, signed=True, **progress)
    with pytest.raises(RunFolderError) as caught:
        load_state(folder)
    assert str(folder) in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", "5", "null", "", "{}", "1" * 5000])
def test_hostile_progress_is_refused(folder, text):
    save_file({}, folder / STATE_FILE, metadata={"progress": text, "checksum": compute_checksum({}, text)})
    with pytest.raises(RunFolderError, match=r"start again with overwrite=True"):
        load_state(folder)


def test_every_flipped_bit_is_found(folder):
    rng = np.random.default_rng(0)
    for name in (STATE_FILE, "frozen-1.safetensors"):
        content = (folder / name).read_bytes()
        for _ in range(40):
            changed = bytearray(content)
            changed[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
            (folder / name).write_bytes(changed)
            with pytest.raises(RunFolderError, match=r"start again with overwrite=True"):
                load_state(folder)
        (folder / name).write_bytes(content)


def test_a_state_that_does_not_fit_is_told_by_name(tmp_path):
    with (
        pytest.raises(RunFolderError, match=r"state.safetensors does not fit the plan of its run .*overwrite=True"),
        restoring(tmp_path),
    ):
        torch.nn.Linear(2, 2).load_state_dict({"weight": torch.zeros(3, 3)})
