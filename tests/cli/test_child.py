"""A process that another command started ends with it, and tells it what could not be written."""

import subprocess
import sys

import pytest

from discern.errors import WriteError
from discern.tuning.child_error import CANNOT_WRITE, read_unwritten

SLEEPS = "import time; from discern.cli.child import end_with_parent; end_with_parent(); time.sleep(600)"


def test_a_child_ends_when_its_parent_is_gone():
    child = subprocess.Popen([sys.executable, "-c", SLEEPS], stdin=subprocess.PIPE)
    # As the system does when the parent is killed.
    child.stdin.close()
    assert child.wait() == 1


UNWRITTEN = (
    "from discern.cli.child import end; from discern.errors import WriteError;"
    "end(WriteError('run/state', 'the disk is full', 'Make room there', 'go on with: discern train --resume'))"
)


def test_a_child_tells_its_parent_which_file_it_could_not_write(tmp_path):
    ended = subprocess.run([sys.executable, "-c", UNWRITTEN], stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == CANNOT_WRITE
    told = read_unwritten(ended.stderr.splitlines()[-1], tmp_path)
    assert str(told) == str(WriteError("run/state", "the disk is full", "Make room there"))


@pytest.mark.parametrize("last_line", ["", '{"path": "run/sta'])
def test_a_log_without_room_for_the_file_is_told_by_the_folder(last_line, tmp_path):
    told = read_unwritten(last_line, tmp_path / "0000")
    assert told.path == tmp_path / "0000"
    assert "B are free on its disk" in told.reason
