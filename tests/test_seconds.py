"""The seconds of the parts of a run."""

import logging
from itertools import pairwise

import pytest

from discern import seconds
from discern.seconds import ELSEWHERE, LOADING, Seconds, describe_seconds, logging_seconds, measuring


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""
    now = [100.0]
    monkeypatch.setattr(seconds.time, "monotonic", lambda: now[0])

    def wait(by):
        now[0] += by

    return wait


def test_a_moment_counts_for_the_innermost_part_alone(clock):
    measured = Seconds(started=98.0)
    with measured.measuring("training"):
        clock(1)
        with measured.measuring("frozen features"):
            clock(4)
        clock(2)
    clock(8)
    with measured.measuring("training"):
        clock(16)
    assert measured.by_part() == {LOADING: 2, "training": 19, "frozen features": 4, ELSEWHERE: 8}


def test_the_parts_add_up_also_after_an_error(clock):
    measured = Seconds(started=100.0)

    def fail():
        clock(3)
        raise KeyError

    with pytest.raises(KeyError), measured.measuring("training"):
        fail()
    clock(1)
    assert measured.by_part() == {LOADING: 0, "training": 3, ELSEWHERE: 1}


def test_a_part_outside_a_run_is_not_measured(clock, caplog):
    with caplog.at_level(logging.DEBUG, "discern"), measuring("training"):
        clock(1)
    assert not caplog.records


def test_a_run_inside_another_has_a_table_of_its_own(clock, caplog):
    with caplog.at_level(logging.DEBUG, "discern"), logging_seconds(100.0), measuring("trials"):
        clock(1)
        with logging_seconds(101.0), measuring("training"):
            clock(5)
        clock(1)
    inner = describe_seconds({LOADING: 0.0, "training": 5.0, ELSEWHERE: 0.0})
    outer = describe_seconds({LOADING: 0.0, "trials": 7.0, ELSEWHERE: 0.0})
    assert caplog.messages == [*inner, *outer]


def test_a_run_that_fails_logs_no_table(clock, caplog):
    with caplog.at_level(logging.DEBUG, "discern"), pytest.raises(KeyError), logging_seconds(100.0):
        raise KeyError
    assert not caplog.records


def test_the_table_shows_seconds_and_shares_in_columns():
    lines = describe_seconds({"training": 150.0, "report": 50.0, ELSEWHERE: 0.0})
    assert lines == [
        "where the time went, of 200.0 s:",
        "  training      150.0 s  75.0 %",
        "  report         50.0 s  25.0 %",
        "  elsewhere       0.0 s   0.0 %",
    ]
    assert all(len(one) == len(other) for one, other in pairwise(lines[1:]))
