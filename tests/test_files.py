"""Where files lie that outlive a run, and what happens when one cannot be written."""

import errno
import re
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from discern.errors import DiscernError, WriteError
from discern.files import discern_home, read_json, replacing, write_atomically
from discern.training.state import Progress, TrainingState


def test_home_is_the_environments_or_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path / "kept"))
    assert discern_home() == tmp_path / "kept"
    monkeypatch.delenv("DISCERN_HOME")
    assert discern_home() == Path.home() / ".cache" / "discern"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (
            errno.ENOSPC,
            r"a.csv cannot be written: the disk is full; it needs 2.0 MiB, and [0-9.]+ .iB are free. ",
        ),
        (
            errno.EDQUOT,
            r"your share of the disk is used up; it needs 2.0 MiB, and .* are free. Make room there, then ",
        ),
        (errno.EROFS, "read-only. Make it writable, then make the same call again, or give another place$"),
        (errno.EACCES, "right to write there. Get it, then make the same call again, or give another place$"),
        (errno.EFBIG, r"the system allows no file of 2.0 MiB \(ulimit -f\). Raise this limit, then"),
        (errno.EIO, "input/output error. Mend this, then make the same call again"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_with_the_reason_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail(handle: int) -> None:
        raise OSError(number, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(WriteError, match=message) as caught:
        write_atomically(path, b"x" * 2**21)
    assert isinstance(caught.value, DiscernError)
    assert isinstance(caught.value, OSError)
    assert "\n" not in str(caught.value)
    assert [other.name for other in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "old"


def test_a_folder_that_is_gone_and_a_folder_in_place_of_a_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"its folder .*gone does not exist, or was removed meanwhile"):
        write_atomically(tmp_path / "gone" / "a.csv", "text")
    with pytest.raises(WriteError, match="it is a folder"):
        write_atomically(tmp_path, "text")


def test_safetensors_tells_of_a_full_disk_in_its_text_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("discern.training.state.save_file", fail)
    state = TrainingState(Progress())
    state.put_tensors("classifier", {"weight": torch.zeros(2**20)})
    with pytest.raises(WriteError, match=r"state.safetensors cannot be written: the disk is full; it needs 4.0 MiB"):
        state.save(tmp_path / "state")
    assert list((tmp_path / "state").iterdir()) == []


def test_an_error_of_another_kind_passes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no matter"), replacing(tmp_path / "a.csv"):
        raise ValueError("no matter")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "1" * 5000, "\udcff"])
def test_hostile_json_is_a_value_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=re.compile(".")):
        read_json(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"it has [0-9,]+ bytes, and at most 0 are read"):
        read_json(tmp_path / "a.json", max_bytes=0)
