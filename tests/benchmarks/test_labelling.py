"""The simulation of labellings asks about what is not held out, each picture once."""

from itertools import pairwise

import numpy as np
import pytest
from benchmarks.labelling.features import LabelledSet
from benchmarks.labelling.simulation import divide, find_needed, list_counts, measure, order_as_asked, order_at_random


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=200)
    features = 3 * np.eye(3, 10)[targets] + rng.normal(size=(200, 10))
    return divide(LabelledSet("drawn", "none", features.astype(np.float32), targets))


@pytest.mark.parametrize("order", [order_as_asked, order_at_random])
def test_ever_more_pictures_of_the_pool_are_labelled_each_once(simulated, order):
    rows = list(order(simulated, 0))
    assert [len(some) for some in rows] == list_counts(140)
    assert set(rows[-1]) == set(simulated.pool)
    assert all(set(first) < set(second) for first, second in pairwise(rows))
    assert not set(rows[-1]) & set(simulated.held_out)


def test_heads_are_measured_on_what_is_held_out(simulated):
    curve = measure(simulated, order_as_asked, 0)
    assert {hits.shape for hits in curve.values()} == {(60,)}
    assert curve[140].mean() > 0.8
    assert find_needed([curve], 0.8)[0] <= 140
    assert find_needed([curve], 1.1) == [None]
