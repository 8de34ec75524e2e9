"""The rule by which a start is chosen: loss, cost and the time there is."""

import numpy as np

from discern.engine.head_solver import ProbeScore
from discern.planning.comparison import Scored, choose_scored, describe_scored
from discern.planning.speed import StartCost

NOISE = np.random.default_rng(0).normal(size=200)


def score(name, loss, milliseconds, training_seconds=10.0, noise=0.1):
    """Return a start whose loss differs from picture to picture by so much noise."""
    losses = loss + noise * (NOISE - NOISE.mean())
    cost = StartCost(milliseconds * 10**8, 0.001, milliseconds / 1000, {}, 512)
    return Scored(name, ProbeScore(1.0, losses, losses < 1), cost, training_seconds)


def test_the_lowest_loss_is_chosen_whatever_it_costs():
    scored = [score("small", 0.9, 3), score("large", 0.5, 30)]
    assert choose_scored(scored) == (1, "")
    assert describe_scored(scored, choose_scored(scored)) == (
        "large, by the loss of a linear probe on 200 pictures, cross-validated: "
        "small 0.900 (83.0 % correct, 3.0 ms a picture), large 0.500 (100.0 % correct, 30 ms a picture)"
    )


def test_a_cheaper_network_is_chosen_within_one_standard_error():
    # The paired differences have a deviation of 1, so their standard error is 0.07.
    large = score("large", 0.5, 30, noise=1.1)
    assert choose_scored([score("small", 0.55, 3), large]) == (
        0,
        "large is better by less than one standard error, and needs 10.0 times the operations",
    )
    assert choose_scored([score("small", 0.6, 3), large]).place == 1


def test_the_lower_loss_is_chosen_where_both_cost_the_same():
    assert choose_scored([score("crop", 0.51, 9, noise=1.1), score("squash", 0.5, 9)]) == (1, "")


def test_a_better_network_whose_training_does_not_fit_is_not_chosen():
    scored = [score("small", 0.9, 3), score("large", 0.5, 30, training_seconds=300), score("blind", 1.5, 3)]
    assert choose_scored(scored, 300.0).place == 1
    assert choose_scored(scored, 200.0) == (0, "training large would take about 300 s, and 200 s are left")


def test_the_cheapest_is_chosen_where_no_training_fits():
    scored = [score("large", 0.5, 30, 300), score("small crop", 0.9, 3, 100), score("small squash", 0.8, 3, 100)]
    assert choose_scored(scored, 50.0) == (
        2,
        "no training fits into the 50 s that are left, and this one takes the least time",
    )
