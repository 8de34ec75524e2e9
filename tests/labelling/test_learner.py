"""Learning in the background: the newest answers are always learnt from, and an error is not lost."""

import threading
import time

import pytest

from discern.labelling.learner import Learner


class SlowBuilder:
    def __init__(self):
        self.built = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def build(self, given):
        self.may_go_on.wait(10)
        if given == "bad":
            raise ValueError("bad answers")
        self.built.append(given)
        return f"lesson of {given}"


@pytest.fixture
def builder():
    return SlowBuilder()


@pytest.fixture
def learner(builder):
    learner = Learner(builder, 0)
    yield learner
    builder.may_go_on.set()
    learner.close()


def test_the_newest_answers_are_learnt_from_and_those_between_left_out(builder, learner):
    assert learner.lesson == "lesson of 0"
    builder.may_go_on.clear()
    for given in range(1, 50):
        learner.learn(given)
    assert learner.is_learning
    builder.may_go_on.set()
    learner.wait()
    assert learner.lesson == "lesson of 49"
    assert len(builder.built) <= 3
    assert not learner.is_learning


def test_no_answers_are_forgotten_at_the_end_of_a_lesson(learner):
    for given in range(1, 500):
        learner.learn(given)
        if given % 7 == 0:
            time.sleep(0.0002)
            learner.wait()
            assert learner.lesson == f"lesson of {given}"


def test_an_error_is_raised_where_somebody_looks_and_learning_goes_on(learner):
    learner.learn("bad")
    with pytest.raises(ValueError, match="bad answers"):
        learner.wait()
    with pytest.raises(ValueError, match="bad answers"):
        learner.check()
    learner.learn(2)
    learner.wait()
    learner.check()
    assert learner.lesson == "lesson of 2"
