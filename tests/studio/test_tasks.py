"""Commands as processes: their ends, their crashes, and that none outlives the studio."""

import pytest

from discern.serving.refusals import Refusal
from discern.studio.commands import Command
from discern.studio.tasks import Tasks
from studio_folder import wait_until

PAGE = Command(("studio", "photos", "--port", "0"), "photos", is_page=True)
"""A page that takes nothing to serve."""


@pytest.fixture
def tasks(root):
    opened = Tasks(root)
    yield opened
    opened.close()


def test_a_command_that_fails_says_why_and_is_found_again(tasks, root):
    good = tasks.start(Command(("recipes", "show", "auto"), "auto"))
    bad = tasks.start(Command(("train", "--resume"), "runs/nowhere"))
    good.wait()
    bad.wait()
    assert good.describe()["state"] == "done"
    assert bad.describe()["state"] == "failed"
    assert "--resume needs the run folder" in bad.describe()["lines"][-1]
    again = Tasks(root)
    assert [(one["number"], one["state"]) for one in again.describe()] == [(2, "failed"), (1, "done")]
    assert again.find(2).describe()["lines"] == bad.describe()["lines"]
    with pytest.raises(Refusal, match="no task 9"):
        again.find(9)


def test_a_page_has_an_address_once_and_ends_when_it_is_stopped_or_the_studio_is_killed(tasks, root):
    task = tasks.start(PAGE)
    orphan = tasks.start(Command(("studio", "heap", "--port", "0"), "heap", is_page=True))
    assert wait_until(task.find_address).port > 0
    assert tasks.start(PAGE) is task
    task.stop()
    wait_until(orphan.find_address)
    orphan._process.stdin.close()  # as the system does when the studio is killed
    task.wait()
    orphan.wait()
    assert task.describe()["state"] == "stopped"
    assert task.find_address() is None
    assert orphan.find_address() is None
    assert [one["state"] for one in Tasks(root).describe()] == ["failed", "stopped"]
