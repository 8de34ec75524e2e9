"""A runtime is chosen without touching the process, and set up for a time or for good."""

import os

import pytest
import torch

from discern.cli import app
from discern.runtime import choose_runtime


def read_process():
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    )


@pytest.fixture
def process(monkeypatch):
    """Settings of a process that are not those of any runtime here."""
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield read_process()
    torch.set_num_threads(threads)


def test_choosing_changes_nothing(process):
    runtime = choose_runtime(device="cpu", threads=2, determinism=True)
    assert (runtime.threads, runtime.determinism) == (2, True)
    assert read_process() == process


def test_what_is_applied_is_restored_at_the_end_and_after_an_error(process):
    runtime = choose_runtime(device="cpu", threads=2, determinism=True)
    with runtime.applied():
        assert read_process() == (2, True, False, ":4096:8")
    assert read_process() == process
    with pytest.raises(KeyError), runtime.applied():
        raise KeyError
    assert read_process() == process


def test_the_command_line_sets_the_allocator_for_itself(monkeypatch):
    called = []
    monkeypatch.setattr(app, "keep_freed_memory", lambda: called.append(True))
    monkeypatch.setattr("sys.argv", ["discern", "--help"])
    with pytest.raises(SystemExit):
        app.main()
    assert called == [True]
