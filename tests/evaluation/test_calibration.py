"""Calibration: by hand, against a slow loop, and what it is for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from discern.evaluation.calibration import compute_brier, compute_ece, compute_gaps, compute_reliability
from discern.evaluation.calibration import measure_ece as measure_error
from discern.evaluation.intervals import exact_interval


def make_answers(count: int, seed: int = 0, *, boast: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw probabilities of two classes, and targets that are as likely as they say less `boast`."""
    rng = np.random.default_rng(seed)
    confidences = rng.uniform(0.55 + boast, 1.0, size=count)
    predictions = rng.integers(2, size=count)
    is_right = rng.random(count) < confidences - boast
    probabilities = np.where(np.arange(2) == predictions[:, None], confidences[:, None], 1 - confidences[:, None])
    return np.where(is_right, predictions, 1 - predictions), probabilities


def measure_ece(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    return float(compute_ece(compute_gaps(targets, probabilities).mean(axis=0)))


def test_the_calibration_error_of_six_pictures_by_hand() -> None:
    """Two of three are right at 0.9, one of two at 0.62, none of one at 0.7."""
    confidences = np.array([0.9, 0.9, 0.9, 0.62, 0.62, 0.7])
    probabilities = np.column_stack([confidences, 1 - confidences])
    targets = np.array([0, 0, 1, 0, 1, 1])
    expected = (3 * abs(2 / 3 - 0.9) + 2 * abs(1 / 2 - 0.62) + 1 * abs(0 - 0.7)) / 6
    assert measure_ece(targets, probabilities) == pytest.approx(expected)


@pytest.mark.parametrize("num_classes", [2, 3, 20])
def test_the_calibration_error_agrees_with_a_slow_loop(num_classes: int) -> None:
    rng = np.random.default_rng(num_classes)
    probabilities = rng.dirichlet(np.full(num_classes, 0.3), size=300)
    targets = rng.integers(num_classes, size=300)
    expected = 0.0
    for edge in range(15):
        inside = [row for row in range(300) if edge / 15 < max(probabilities[row]) <= (edge + 1) / 15]
        if inside:
            accuracy = sum(int(np.argmax(probabilities[row])) == targets[row] for row in inside) / len(inside)
            confidence = sum(max(probabilities[row]) for row in inside) / len(inside)
            expected += len(inside) / 300 * abs(accuracy - confidence)
    assert measure_ece(targets, probabilities) == pytest.approx(expected)


def test_the_ends_of_the_scale_have_a_bin() -> None:
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert measure_ece(np.array([0, 0]), certain) == 0
    assert measure_ece(np.array([1, 1]), certain) == 1
    assert measure_ece(np.array([0]), np.zeros((1, 2))) == 1


def test_a_classifier_that_boasts_has_the_error_that_it_boasts() -> None:
    assert measure_ece(*make_answers(50_000)) < 0.01
    assert measure_ece(*make_answers(50_000, boast=0.2)) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("boast", [0.0, 0.03, 0.2])
@pytest.mark.parametrize("count", [60, 300])
def test_intervals_cover_the_calibration_error_as_often_as_promised(count: int, boast: float) -> None:
    covered = 0
    for seed in range(200):
        targets, probabilities = make_answers(count, seed, boast=boast)
        interval = measure_error(targets, probabilities, resamples=300, seed=seed)
        assert 0 <= interval.low <= interval.value <= interval.high <= 1
        covered += interval.low <= boast <= interval.high
    assert 0.91 <= covered / 200 <= 0.995


def test_an_error_that_chance_does_not_explain_has_an_interval_above_zero() -> None:
    for boast, is_above in ((0.0, False), (0.2, True)):
        targets, probabilities = make_answers(1000, boast=boast)
        assert (measure_error(targets, probabilities).low > 0) == is_above


def test_the_brier_score_by_hand() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    brier = compute_brier(np.array([0, 2, 1]), probabilities)
    assert brier == pytest.approx([0.09 + 0.04 + 0.01, 0, 2])
    assert compute_brier(np.array([0, 2, 1]), probabilities.astype(np.float32)) == pytest.approx(brier, abs=1e-6)
    assert probabilities[0, 0] == 0.7


def test_the_bins_account_for_every_picture_and_for_the_error() -> None:
    targets, probabilities = make_answers(500, boast=0.1)
    bins = compute_reliability(targets, probabilities)
    assert len(bins) == 15
    assert bins["count"].sum() == 500
    assert (bins["low"].iloc[0], bins["high"].iloc[-1]) == (0, 1)
    filled = bins[bins["count"] > 0]
    assert (filled["low"] < filled["confidence"]).all()
    assert (filled["confidence"] <= filled["high"]).all()
    gaps = (filled["accuracy"] - filled["confidence"]).abs()
    assert (gaps * filled["count"]).sum() / 500 == pytest.approx(measure_ece(targets, probabilities))
    assert bins[bins["count"] == 0].drop(columns=["low", "high", "count"]).isna().all(axis=None)


def test_the_accuracy_of_a_bin_carries_its_exact_interval() -> None:
    probabilities = np.tile([0.95, 0.05], (8, 1))
    last = compute_reliability(np.array([0, 0, 0, 0, 0, 0, 1, 1]), probabilities).iloc[-1]
    assert (last["accuracy"], last["accuracy_low"], last["accuracy_high"]) == exact_interval(6, 8)
    assert last["confidence"] == pytest.approx(0.95)
