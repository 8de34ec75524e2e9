import numpy as np
import pytest

from discern.evaluation.intervals import Interval, exact_interval
from discern.evaluation.seed_comparison import describe_difference, estimate_accuracy, estimate_mean


def draw(rng, seeds, pictures, *, seed_deviation):
    """Draw answers whose chance depends on the seed and on the picture; the expected accuracy is 0.7."""
    probabilities = 0.7 + seed_deviation * rng.normal(size=(seeds, 1)) + rng.uniform(-0.25, 0.25, size=(1, pictures))
    return (rng.random((seeds, pictures)) < probabilities).astype(float)


@pytest.mark.parametrize(
    ("seeds", "pictures", "seed_deviation"), [(3, 200, 0.02), (3, 800, 0.03), (5, 100, 0.0), (1, 300, 0.0)]
)
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds, pictures, seed_deviation):
    rng = np.random.default_rng(0)
    found = [estimate_mean(draw(rng, seeds, pictures, seed_deviation=seed_deviation)) for _ in range(400)]
    hits = np.mean([one.low <= 0.7 <= one.high for one in found])
    assert hits >= 0.93


def test_one_seed_is_nearly_a_paired_t_interval():
    from scipy.stats import ttest_1samp

    differences = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], p=[0.1, 0.7, 0.2], size=(1, 250))
    expected = ttest_1samp(differences[0], 0).confidence_interval()
    found = estimate_mean(differences)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.002)


def test_equal_answers_may_still_differ_on_other_pictures():
    for pictures, half in ((10, 0.25), (50, 0.06), (1000, 0.003)):
        value, low, high = estimate_mean(np.zeros((3, pictures)))
        assert value == 0
        assert low == -high
        assert high == pytest.approx(half, rel=0.15)


def test_too_little_is_refused():
    for estimate in (estimate_mean, estimate_accuracy):
        with pytest.raises(ValueError, match="one picture or more, got 3 and 0"):
            estimate(np.zeros((3, 0)))


def test_the_verdict_is_in_words():
    assert describe_difference("v3", "v2", Interval(0.006, -0.004, 0.017)) == (
        "v3 over v2: +0.6 points [-0.4, +1.7], not distinguishable"
    )
    assert describe_difference("v3", "v2", Interval(0.02, 0.01, 0.03)).endswith("better")
    assert describe_difference("v3", "v2", Interval(-0.02, -0.03, -0.01)).endswith("worse")


def test_an_accuracy_lies_within_0_and_1_and_is_never_certain():
    most = np.ones((1, 20))
    assert estimate_accuracy(most) == pytest.approx(exact_interval(20, 20))
    assert estimate_accuracy(np.zeros((3, 20))) == pytest.approx(exact_interval(0, 20))
    most[0, 0] = 0
    assert estimate_accuracy(most) == pytest.approx(exact_interval(19, 20))


@pytest.mark.parametrize(("seeds", "pictures", "seed_deviation"), [(3, 20, 0.02), (3, 200, 0.03), (2, 60, 0.01)])
def test_an_accuracy_is_contained_as_often_as_it_says(seeds, pictures, seed_deviation):
    rng = np.random.default_rng(0)
    found = [estimate_accuracy(draw(rng, seeds, pictures, seed_deviation=seed_deviation)) for _ in range(300)]
    assert np.mean([one.low <= 0.7 <= one.high for one in found]) >= 0.93
