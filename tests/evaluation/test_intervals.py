"""Intervals against scipy and by simulation: they contain the truth as often as they say, and are never certain."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from discern.evaluation.bootstrap import count_classes
from discern.evaluation.intervals import exact_interval, exact_upper_bound, mean_interval, score_interval
from discern.evaluation.metrics import compute_metrics
from discern.evaluation.tables import compute_per_class

COUNTS = [1, 2, 6, 12, 36, 200]


@pytest.mark.parametrize("count", COUNTS)
def test_it_is_the_exact_interval_of_scipy(count: int) -> None:
    for successes in {0, 1, count // 2, count}:
        found, expected = exact_interval(successes, count), binomtest(successes, count).proportion_ci()
        assert found.value == successes / count
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
        assert found.low <= found.value <= found.high
        assert found.high - found.low > 1 / count / 2


@pytest.mark.parametrize("count", COUNTS)
def test_a_fraction_is_contained_as_often_as_promised(count: int) -> None:
    intervals = np.array([exact_interval(successes, count) for successes in range(count + 1)])
    for fraction in (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999):
        holds = (intervals[:, 1] <= fraction) & (fraction <= intervals[:, 2])
        assert binom.pmf(np.arange(count + 1), count, fraction)[holds].sum() >= 0.95


@pytest.mark.parametrize(("successes", "count"), [(1, 0), (-1, 5), (6, 5)])
def test_what_is_no_fraction_is_refused(successes: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= successes <= count and count >= 1"):
        exact_interval(successes, count)


def test_an_upper_bound_is_the_one_sided_one() -> None:
    assert exact_upper_bound(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert exact_upper_bound(3, 3, 0.95) == 1
    assert binom.cdf(2, 40, exact_upper_bound(2, 40, 0.99)) == pytest.approx(0.01)


def test_a_score_is_as_certain_as_its_variance_says_but_never_more_than_its_pictures() -> None:
    assert score_interval(34 / 36, 34 * 2 / 36**3, 36) == pytest.approx(exact_interval(34, 36))
    assert score_interval(1.0, 0.0, 36) == pytest.approx(exact_interval(36, 36))
    assert score_interval(0.5, 0.0, 4) == pytest.approx(exact_interval(2, 4))
    wide = score_interval(0.5, 0.25 / 10, 1000)
    assert wide == pytest.approx(exact_interval(5, 10))


def test_a_mean_has_a_width_even_of_one_value() -> None:
    for values in ([0.1], [0.1, 0.1], [0.1] * 30):
        found = mean_interval(np.array(values), usual=1.1)
        assert found.low < found.value < found.high
        assert found.low >= 0
    values = np.random.default_rng(0).exponential(size=400)
    found = mean_interval(values, usual=1.0)
    half = 1.96 * values.std() / 20
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


@pytest.mark.parametrize("num_classes", [2, 3, 12])
def test_one_quantity_has_one_interval(num_classes: int) -> None:
    """On a split of equally large classes, balanced accuracy is accuracy; and no perfect score is certain."""
    targets = np.repeat(np.arange(num_classes), 3)
    names = [str(number) for number in range(num_classes)]
    for mistakes in (0, 2):
        answers = targets.copy()
        answers[:mistakes] = 1
        found = compute_metrics(targets, np.eye(num_classes)[answers], names)
        assert found.balanced_accuracy == pytest.approx(found.accuracy)
        for score in (found.accuracy, found.balanced_accuracy, found.macro_f1, found.weighted_f1, found.brier):
            assert score is not None
            assert score.low <= score.value <= score.high
            assert score.high - score.low > 0.02
    perfect = compute_metrics(targets, np.eye(num_classes)[targets], names, resamples=100)
    assert perfect.macro_f1 == pytest.approx(exact_interval(len(targets), len(targets)))
    for score in (perfect.loss, perfect.ece, perfect.roc_auc or perfect.accuracy, perfect.brier):
        assert score is not None
        assert score.high - score.low > 0.02


@pytest.mark.parametrize("sizes", [(3, 3), (5, 50), (4, 8, 16, 32), (20,) * 10])
@pytest.mark.parametrize("recall", [0.8, 0.97])
def test_the_interval_of_every_score_contains_the_truth(sizes: tuple[int, ...], recall: float) -> None:
    counts, rng = np.array(sizes), np.random.default_rng(0)
    num_classes = len(counts)
    # The first classes are harder than the last.
    recalls = 1 - (1 - recall) * np.linspace(1.5, 0.5, num_classes)
    shares = np.repeat((1 - recalls) / (num_classes - 1), num_classes).reshape(num_classes, num_classes)
    np.fill_diagonal(shares, recalls)
    expected = count_classes(shares * counts[:, None])
    truths = {
        "accuracy": (recalls * counts).sum() / counts.sum(),
        "balanced_accuracy": recalls.mean(),
        "macro_f1": (2 * expected.hits / (expected.true + expected.predicted)).mean(),
    }
    targets, names = np.repeat(np.arange(num_classes), counts), list(map(str, range(num_classes)))
    held = dict.fromkeys([*truths, "recall"], 0)
    draws = 60
    for seed in range(draws):
        answers = np.concatenate(
            [rng.choice(num_classes, size, p=row) for size, row in zip(sizes, shares, strict=True)]
        )
        found = compute_metrics(targets, np.eye(num_classes)[answers], names, resamples=100, seed=seed)
        for name, truth in truths.items():
            _, low, high = getattr(found, name)
            held[name] += low <= truth <= high
        row = compute_per_class(targets, np.eye(num_classes)[answers], names).iloc[0]
        held["recall"] += row["recall_low"] <= recalls[0] <= row["recall_high"]
    assert min(held.values()) >= 0.9 * draws, held
