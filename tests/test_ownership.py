"""One owner at a time for a folder."""

import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from discern.errors import RunFolderError
from discern.ownership import LOCK_FILE, Owner, _describe_self, owning

OWNS = """
import sys, time
from pathlib import Path
from discern.ownership import owning
with owning(Path(sys.argv[1]), "discern train"):
    print("owned", flush=True)
    time.sleep(60)
"""


def start_owner(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", OWNS, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "owned\n"
    return process


def leave_lock(folder: Path, **values: object) -> None:
    """Leave the file of an owner that may have ended."""
    folder.mkdir()
    owner = _describe_self("discern train").model_copy(update=values)
    (folder / LOCK_FILE).write_text(owner.model_dump_json())


def test_the_second_is_refused_and_told_who_owns_the_folder_even_one_that_sleeps(tmp_path):
    owner = start_owner(tmp_path / "run")
    os.kill(owner.pid, signal.SIGSTOP)
    with pytest.raises(RunFolderError) as caught, owning(tmp_path / "run", "discern export"):
        pass
    assert f"run is in use by discern train, process {owner.pid} on {platform.node()} since 20" in str(caught.value)
    assert f"stop it (kill {owner.pid}), or give another out=..." in str(caught.value)
    owner.kill()
    owner.communicate()
    # Killed, it leaves its file, which means nothing.
    assert (tmp_path / "run" / LOCK_FILE).exists()
    with owning(tmp_path / "run", "discern export"):
        assert f'"process": {os.getpid()}' in (tmp_path / "run" / LOCK_FILE).read_text()
    assert not (tmp_path / "run").exists() or not list((tmp_path / "run").iterdir())


def test_the_same_process_cannot_own_a_folder_twice(tmp_path):
    with (
        owning(tmp_path, "discern train"),
        pytest.raises(RunFolderError, match="is in use by discern train"),
        owning(tmp_path, "discern train"),
    ):
        pass
    with owning(tmp_path, "discern train"):
        pass


def test_a_loader_process_does_not_hold_the_lock_of_its_owner(tmp_path):
    with owning(tmp_path, "discern train"):
        loader = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        loader.start()
    try:
        with owning(tmp_path, "discern train"):
            pass
    finally:
        loader.kill()


@pytest.mark.parametrize(
    ("values", "has_locks"),
    [
        ({"process": 2**22 + 1}, True),
        ({"host": "renamed"}, True),  # a container that got another name on the same machine
        ({"boot": "before the machine was started again"}, True),
        ({"process": 2**22 + 1}, False),
        ({"started": "before, as another process of this number"}, False),
    ],
)
def test_what_a_dead_process_left_is_taken_over(tmp_path, monkeypatch, values, has_locks):
    leave_lock(tmp_path / "run", **values)
    if not has_locks:
        monkeypatch.setattr("discern.ownership._lock", lambda handle: None)
    with owning(tmp_path / "run", "discern train"):
        pass


def test_without_locks_on_the_disk_a_living_owner_is_known_by_number_and_start(tmp_path, monkeypatch):
    monkeypatch.setattr("discern.ownership._lock", lambda handle: None)
    leave_lock(tmp_path / "run")
    with pytest.raises(RunFolderError, match="in use by discern train"), owning(tmp_path / "run", "discern export"):
        pass


def test_of_another_machine_nothing_is_guessed(tmp_path):
    leave_lock(tmp_path / "run", host="node7", boot="of node7")
    with pytest.raises(RunFolderError) as caught, owning(tmp_path / "run", "discern export"):
        pass
    assert "on node7 since" in str(caught.value)
    assert f"cannot be seen from here; if it does not, remove {tmp_path / 'run' / LOCK_FILE}" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b'{"task": 3', b"[" * 9000])
def test_a_lock_that_was_never_finished_means_nothing(tmp_path, content):
    (tmp_path / LOCK_FILE).write_bytes(content)
    with owning(tmp_path, "discern train"):
        assert Owner.model_validate_json((tmp_path / LOCK_FILE).read_bytes()).process == os.getpid()


def test_a_folder_that_was_made_and_stays_empty_goes_again(tmp_path):
    with pytest.raises(ValueError, match="bad pictures"), owning(tmp_path / "runs" / "birds", "discern train"):
        raise ValueError("bad pictures")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"file is a file; out=... needs a folder"), owning(tmp_path / "file", ""):
        pass
