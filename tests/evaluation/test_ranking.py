"""Ranking scores of two classes, against scikit-learn one resample at a time."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from discern.evaluation.ranking import can_rank, compute_ranking, compute_ranking_curves, score_weighted


def make_scores(count: int, *, digits: int = 12) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw targets and scores that are higher for class 1; few digits make ties."""
    rng = np.random.default_rng(count)
    targets = (rng.random(count) < 0.3).astype(np.int64)
    return targets, np.round(rng.normal(size=count) + targets, digits)


@pytest.mark.parametrize("digits", [12, 0])
def test_many_resamples_at_once_score_as_each_alone(digits: int) -> None:
    targets, scores = make_scores(60, digits=digits)
    weights = np.random.default_rng(1).integers(0, 3, size=(30, 60)).astype(np.float64)
    scored = score_weighted(weights, targets, scores)
    expected_auc = [roc_auc_score(targets, scores, sample_weight=row) for row in weights]
    expected_precision = [average_precision_score(targets, scores, sample_weight=row) for row in weights]
    assert scored.roc_auc == pytest.approx(expected_auc)
    assert scored.average_precision == pytest.approx(expected_precision)


def test_values_are_scikit_learns_within_their_intervals() -> None:
    targets, scores = make_scores(200, digits=1)
    ranking = compute_ranking(targets, scores)
    assert ranking.roc_auc.value == pytest.approx(roc_auc_score(targets, scores))
    assert ranking.average_precision.value == pytest.approx(average_precision_score(targets, scores))
    for interval in ranking:
        assert 0 < interval.low < interval.value < interval.high < 1


def test_a_perfect_order_scores_one_and_equal_scores_say_nothing() -> None:
    targets = np.array([0, 0, 1, 1, 1])
    assert [interval.value for interval in compute_ranking(targets, np.arange(5.0))] == [1, 1]
    chance = compute_ranking(targets, np.zeros(5))
    assert [interval.value for interval in chance] == pytest.approx([0.5, 0.6])


def test_the_curves_run_from_nothing_to_all() -> None:
    curves = compute_ranking_curves(*make_scores(50))
    assert (curves.false_positive_rates[0], curves.true_positive_rates[0]) == (0, 0)
    assert (curves.false_positive_rates[-1], curves.true_positive_rates[-1]) == (1, 1)
    assert (curves.recalls[0], curves.recalls[-1]) == (1, 0)
    assert len(curves.recalls) == len(curves.precisions)


@pytest.mark.parametrize(
    ("targets", "num_classes", "expected"), [([0, 1], 2, True), ([1, 1], 2, False), ([0, 1], 3, False)]
)
def test_two_classes_with_pictures_of_both_can_be_ranked(
    targets: list[int], num_classes: int, *, expected: bool
) -> None:
    assert can_rank(np.array(targets), num_classes) == expected
