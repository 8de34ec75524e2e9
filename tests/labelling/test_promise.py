"""What is promised holds, although it is looked at again and again."""

import numpy as np
import pytest
from benchmarks.labelling.promises import World, simulate_labelling
from scipy.stats import binom

from discern.labelling.goal import Goal
from discern.labelling.promise import plan_looks, state_promise

GOAL = Goal(0.1, 0.8)


@pytest.mark.parametrize("goal", [GOAL, Goal(0.02, 0.8), Goal(0.05, 0.5), Goal(0.01, 1.0)])
@pytest.mark.parametrize("available", [0, 30, 150, 700, 2000])
def test_each_planned_look_could_show_the_goal_and_all_together_keep_the_level(goal, available):
    looks = plan_looks(available, goal)
    assert all(count <= available for count in looks.counts)
    assert len(looks.counts) * looks.error_level <= 0.04 + 1e-12
    for count in looks.counts:
        answered = np.arange(count) < np.ceil(count * goal.answered)
        assert looks.bound_error(answered, np.ones(count, bool)) <= goal.wrong
    if available == 2000:
        assert len(looks.counts) >= 3


def test_few_pictures_can_show_no_small_error():
    assert plan_looks(130, Goal(0.02, 0.8)).counts == ()


@pytest.mark.parametrize("available", [7, 30, 100, 700])
@pytest.mark.parametrize("answered", [0.5, 0.8, 1.0])
def test_the_best_goal_is_the_smallest_that_can_be_shown(available, answered):
    best = plan_looks(available, Goal(0.001, answered)).best_goal
    assert plan_looks(available, best).min_needed <= available
    assert plan_looks(available, best._replace(wrong=best.wrong - 0.0099)).min_needed > available


def test_at_least_the_wished_share_of_new_pictures_is_answered():
    rng, looks, short = np.random.default_rng(0), plan_looks(300, GOAL), 0
    for _ in range(2000):
        threshold = looks.choose_threshold(rng.random(300))
        short += 1 - threshold < GOAL.answered
    assert short <= binom.ppf(0.999, 2000, 0.01 / len(looks.counts))
    assert looks.choose_threshold(rng.random(3)) == -np.inf


def test_what_could_be_answered_lies_in_its_interval():
    rng = np.random.default_rng(1)
    confidences = rng.random(300)
    is_right = rng.random(300) < 0.6 + 0.4 * confidences
    promise = state_promise(plan_looks(300, GOAL), confidences, np.arange(300), is_right, 1.0)
    low, value, high = (promise.answered[place] for place in (1, 0, 2))
    assert 0 <= low <= value <= high <= 1
    assert promise.error.low <= promise.error.value <= promise.error.high
    assert not promise.is_kept


def test_of_few_answers_nothing_is_said():
    assert state_promise(plan_looks(300, GOAL), np.ones(300), np.arange(9), np.ones(9, bool), 1.0) is None


def test_in_at_most_one_of_twenty_labellings_the_promise_is_broken():
    """No labels are enough here: the best head is a little oftener wrong than wished, so none should be made."""
    found = [simulate_labelling(World(2, 2.1), GOAL, 900, seed) for seed in range(200)]
    assert sum(one.is_broken for one in found) <= 0.05 * len(found)


def test_a_goal_that_can_be_reached_is_reached():
    found = [simulate_labelling(World(2, 3.2), GOAL, 900, seed) for seed in range(10)]
    assert sum(one.answers is not None for one in found) >= 9
    assert not any(one.is_broken for one in found)
