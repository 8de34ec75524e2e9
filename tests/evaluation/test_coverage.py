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


def test_the_chosen_threshold_answers_most_of_what_can_be_promised():
    confidences, is_right = draw_answers(2000)
    point = choose_operating_point(confidences, is_right, 0.1)
    answered = confidences >= point.threshold
    assert point.coverage == pytest.approx(answered.mean())
    assert point.error == pytest.approx(1 - is_right[answered].mean())
    assert 0.08 < point.error < 0.1
    for lower in confidences[confidences < point.threshold]:
        assert (~is_right[confidences >= lower]).mean() > point.error - 0.01


def test_the_promise_holds_on_pictures_it_was_not_made_on():
    errors, coverages = [], []
    for seed in range(200):
        point = choose_operating_point(*draw_answers(400, seed=seed), 0.1)
        new, is_right = draw_answers(400, seed=1000 + seed)
        answered = new >= (2 if point is None else point.threshold)
        errors.append((~is_right[answered]).sum() / max(1, answered.sum()))
        coverages.append(answered.mean())
    assert 0.07 < np.mean(errors) < 0.1
    assert np.mean(coverages) > 0.25


def test_a_handful_of_right_answers_promises_little():
    confidences, is_right = np.linspace(0.6, 0.9, 20), np.ones(20, dtype=bool)
    smallest = find_smallest_error(confidences, is_right)
    assert 1 / 21 < smallest < 2 / 21
    assert choose_operating_point(confidences, is_right, smallest - 1e-6) is None
    assert choose_operating_point(confidences, is_right, smallest).coverage == 1


def test_equal_confidences_are_answered_together():
    confidences = np.array([0.9, 0.9, 0.9, 0.5])
    curve = compute_coverage(confidences, np.array([True, False, True, False]))
    assert list(curve["coverage"]) == [0.75, 1]
    assert list(curve["error"]) == pytest.approx([1 / 3, 0.5])


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        compute_coverage(np.empty(0), np.empty(0, dtype=bool))
