"""A process that another command started ends with it."""

import subprocess
import sys

SLEEPS = "import time; from discern.cli.child import end_with_parent; end_with_parent(); time.sleep(600)"


def test_a_child_ends_when_its_parent_is_gone():
    child = subprocess.Popen([sys.executable, "-c", SLEEPS], stdin=subprocess.PIPE)
    # As the system does when the parent is killed.
    child.stdin.close()
    assert child.wait() == 1
