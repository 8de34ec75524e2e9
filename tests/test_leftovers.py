"""Files of processes that were killed are removed; all others stay."""

import os
import subprocess
import sys

import pytest

from discern.exporting.staging import staging
from discern.files import write_atomically
from discern.leftovers import mark_host


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_next_that_writes_to_a_folder_removes_what_killed_processes_left(tmp_path, gone):
    (tmp_path / f".a.csv.{mark_host()}.{gone}.tmp").touch()
    staged = tmp_path / f".b.onnx.folder.{mark_host()}.{gone}.tmp"
    staged.mkdir()
    (staged / "b.onnx").touch()
    write_atomically(tmp_path / "other.csv", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["other.csv"]


def test_files_of_living_processes_of_other_hosts_and_of_users_stay(tmp_path, gone):
    names = {
        f".a.csv.{mark_host()}.{os.getppid()}.tmp",
        f".a.csv.00000000.{gone}.tmp",
        f".a.csv.{gone}.tmp",
        f"a.csv.{mark_host()}.{gone}.tmp",
        f".a.csv.{mark_host()}.{gone}.tmp.csv",
    }
    for name in names:
        (tmp_path / name).touch()
    write_atomically(tmp_path / "a.csv", "text")
    assert {path.name for path in tmp_path.iterdir()} == {*names, "a.csv"}


def test_a_file_is_made_in_a_folder_whose_name_says_whose_it_is(tmp_path):
    with staging(tmp_path / "b.onnx") as staged:
        assert staged.parent.name == f".b.onnx.folder.{mark_host()}.{os.getpid()}.tmp"
        staged.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["b.onnx"]
