"""Intervals: published values, exact coverage, and properties that every interval has."""

import json

import numpy as np
import pytest
from scipy.stats import binom

from discern.evaluation.intervals import Interval, bootstrap_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_gives_the_published_values(successes: int, count: int, low: float, high: float) -> None:
    interval = wilson_interval(successes, count)
    assert interval.value == successes / count
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [1, 2, 7, 50, 333])
def test_wilson_holds_the_value_inside_the_unit_range_and_mirrors(count: int) -> None:
    for successes in range(count + 1):
        interval, mirrored = wilson_interval(successes, count), wilson_interval(count - successes, count)
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
        assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_covers_the_true_fraction_as_often_as_promised(confidence: float) -> None:
    count = 60
    intervals = [wilson_interval(successes, count, confidence) for successes in range(count + 1)]
    fractions = np.linspace(0.05, 0.95, 181)
    covered = sum(
        binom.pmf(successes, count, fractions) * ((interval.low <= fractions) & (fractions <= interval.high))
        for successes, interval in enumerate(intervals)
    )
    assert np.mean(covered) == pytest.approx(confidence, abs=0.01)


def test_wilson_narrows_with_the_count_and_widens_with_the_confidence() -> None:
    few, many = wilson_interval(8, 10), wilson_interval(800, 1000)
    sure = wilson_interval(8, 10, 0.99)
    assert few.low < many.low < many.high < few.high
    assert sure.low < few.low < few.high < sure.high


@pytest.mark.parametrize(("successes", "count"), [(0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_impossible_counts(successes: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"got {successes} of {count}"):
        wilson_interval(successes, count)


def test_bootstrap_interval_of_symmetric_resamples_is_their_middle_95_percent() -> None:
    resampled = np.linspace(-1, 1, 10001)
    interval = bootstrap_interval(0.0, resampled)
    assert interval == pytest.approx((0.0, -0.95, 0.95), abs=1e-3)


def test_bootstrap_interval_moves_against_the_bias_and_holds_the_value() -> None:
    resampled = np.linspace(-1, 1, 10001)
    assert bootstrap_interval(0.3, resampled).low > -0.95
    beyond = bootstrap_interval(1.2, resampled)
    assert beyond.value == beyond.high == 1.2


def test_bootstrap_interval_has_no_width_when_all_resamples_agree() -> None:
    assert bootstrap_interval(1.0, np.ones(100)) == (1.0, 1.0, 1.0)


def test_an_interval_becomes_json() -> None:
    assert json.loads(json.dumps(Interval(0.5, 0.25, 0.75).to_dict())) == {"value": 0.5, "low": 0.25, "high": 0.75}
