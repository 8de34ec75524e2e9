"""The table of the comparison of accuracies grows over machines, and compares seconds on one machine only."""

import math
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.accuracy.__main__ import Job, Result, Runs, compare_seconds
from benchmarks.accuracy.machine import describe_machine
from benchmarks.accuracy.sets import Set

JOB = Job(Set("flowers", Path("flowers.csv"), 128), "mobilenetv2_100", "fastai", 0)


@pytest.fixture
def open_runs(tmp_path, monkeypatch):
    """Opens the table on a machine, where a run takes three seconds and is right on the first picture of two."""

    def open_on(machine):
        monkeypatch.setattr(Runs, "_run", lambda _self, _job: Result(machine, 3.0, "10"))
        return Runs(tmp_path / "runs.csv", {}, machine)

    return open_on


def test_what_ran_is_read_again_on_any_machine(open_runs, tmp_path):
    assert open_runs("old").get(JOB) == Result("old", 3.0, "10")
    assert open_runs("new").get(JOB) == Result("old", 3.0, "10")
    table = pd.read_csv(tmp_path / "runs.csv", dtype={"correct": str})
    assert table.to_dict("records") == [
        {
            "set": "flowers",
            "network": "mobilenetv2_100",
            "way": "fastai",
            "seed": 0,
            "accuracy": 0.5,
            "machine": "old",
            "seconds": 3.0,
            "correct": "10",
        }
    ]


def test_seconds_that_are_wanted_here_are_measured_here(open_runs):
    open_runs("old").get(JOB)
    assert open_runs("new").get(JOB, here=True).machine == "new"
    assert open_runs("new").get(JOB, here=True).machine == "new"


def test_seconds_are_compared_on_one_machine():
    ours = [Result("a", 1.0, "1"), Result("b", 9.0, "1"), Result("a", 3.0, "1")]
    others = [Result("a", 4.0, "1"), Result("a", 1.0, "1"), Result("a", 4.0, "1")]
    assert compare_seconds(ours, others) == 0.5
    assert math.isnan(compare_seconds(ours, ()))


@pytest.mark.parametrize(("cores", "named"), [({0}, "1 core"), ({0, 3}, "2 cores")])
def test_a_machine_is_named_by_processor_instructions_and_cores(cores, named, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: cores, raising=False)
    assert describe_machine().endswith(f", {named}")
    assert describe_machine() == describe_machine()
