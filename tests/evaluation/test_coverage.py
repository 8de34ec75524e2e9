import numpy as np
import pytest

from discern.evaluation.coverage import choose_operating_point, compute_coverage, find_smallest_error


def draw_answers(count, seed=0):
    """Draw confidences that are true: a picture is right with the probability that is said."""
    rng = np.random.default_rng(seed)
    confidences = rng.uniform(0.5, 1, count)
    return confidences, rng.random(count) < confidences


def test_each_row_is_what_counting_gives():
    confidences, is_right = draw_answers(300)
    curve = compute_coverage(confidences.round(2), is_right)
    assert curve["threshold"].is_monotonic_decreasing
    assert curve["threshold"].is_unique
    for row in curve.itertuples():
        answered = confidences.round(2) >= row.threshold
        assert row.coverage == pytest.approx(answered.mean())
        assert row.error == pytest.approx(1 - is_right[answered].mean())
        assert row.error <= row.error_high
    assert curve["coverage"].iloc[-1] == 1


def test_the_chosen_threshold_is_described_by_counting():
    confidences, is_right = draw_answers(2000)
    point = choose_operating_point(confidences, is_right, 0.1)
    answered = confidences >= point.threshold
    assert point.coverage == pytest.approx(answered.mean())
    assert point.error == pytest.approx(1 - is_right[answered].mean())
    assert 0.25 < point.coverage < 0.4
    assert point.error < point.error_high <= 0.1
    assert "of new pictures like these at most 9.8 %, with 95 % confidence" in point.describe()


def choose_best_epoch(rng, count, epochs, mean_margin):
    """Draw correlated epochs on the same pictures; return confidences and hits of the one with the most hits."""
    margins = mean_margin + 0.8 * rng.normal(size=(count, 1)) + 0.6 * rng.normal(size=(count, epochs))
    best = (margins > 0).sum(axis=0).argmax()
    confidences = 1 / (1 + np.exp(-np.abs(margins[:, best]) - 0.3 * rng.normal(size=count)))
    return confidences, margins[:, best] > 0


@pytest.mark.parametrize(
    ("count", "epochs", "max_error", "mean_margin"),
    [
        (36, 5, 0.1, 1.6),
        (120, 1, 0.05, 1.9),
        (120, 30, 0.1, 1.6),
        (400, 10, 0.05, 1.6),
        (400, 30, 0.1, 0.84),
    ],
)
def test_the_promise_is_kept_although_epoch_and_threshold_are_chosen(count, epochs, max_error, mean_margin):
    rng = np.random.default_rng(count)
    new, is_right = choose_best_epoch(rng, 20_000, 1, mean_margin)
    broken = 0
    for _ in range(100):
        point = choose_operating_point(*choose_best_epoch(rng, count, epochs, mean_margin), max_error, choices=epochs)
        broken += point is not None and (~is_right[new >= point.threshold]).mean() > max_error
    assert broken <= 5


def test_what_pictures_without_a_mistake_support():
    confidences = np.linspace(0.6, 0.9, 60)
    for choices, needed in ((1, 59), (10, 104)):
        for count, is_enough in ((needed - 1, False), (needed, True)):
            confidences = np.linspace(0.6, 0.9, count)
            point = choose_operating_point(confidences, np.ones(count, dtype=bool), 0.05, choices=choices)
            assert (point is not None) == is_enough


def test_a_handful_of_right_answers_promises_little():
    confidences, is_right = np.linspace(0.6, 0.9, 20), np.ones(20, dtype=bool)
    smallest = find_smallest_error(confidences, is_right)
    assert smallest == pytest.approx(1 - 0.05 ** (1 / 20), abs=1e-4)
    assert choose_operating_point(confidences, is_right, smallest - 2e-4) is None
    assert choose_operating_point(confidences, is_right, smallest).coverage == 1
    assert find_smallest_error(confidences, ~is_right) == 1


def test_equal_confidences_are_answered_together():
    confidences = np.array([0.9, 0.9, 0.9, 0.5])
    curve = compute_coverage(confidences, np.array([True, False, True, False]))
    assert list(curve["coverage"]) == [0.75, 1]
    assert list(curve["error"]) == pytest.approx([1 / 3, 0.5])


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        compute_coverage(np.empty(0), np.empty(0, dtype=bool))
