"""Calibration on few pictures, simulated: it must help where it can, and must not harm elsewhere."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

from discern.evaluation.calibration import compute_ece, compute_gaps
from discern.predictor.calibration import Calibration, compute_probabilities
from discern.training.calibrating import calibrate

TRUE, OVERCONFIDENT, UNDERCONFIDENT = 1.0, 2.5, 0.4


def draw(rng, count, num_classes, boast, wrong_labels=0.0):
    """Draw targets from the softmax of logits, and logits that boast by a factor."""
    logits = 4 * rng.normal(size=(count, num_classes))
    targets = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    is_wrong = rng.random(count) < wrong_labels
    return torch.from_numpy(boast * logits), np.where(is_wrong, rng.integers(num_classes, size=count), targets)


def measure(logits, targets, calibration):
    return float(compute_ece(compute_gaps(targets, compute_probabilities(logits, calibration)).mean(axis=0)))


def simulate(count, num_classes, boast, wrong_labels=0.0, *, draws=6, method="cross-validated"):
    """Return the mean change of the calibration error of 1000 new pictures."""
    rng = np.random.default_rng(count + num_classes)
    changes = []
    for _ in range(draws):
        fitted = calibrate(*draw(rng, count, num_classes, boast, wrong_labels), method)
        new = draw(rng, 1000, num_classes, boast, wrong_labels)
        changes.append(measure(*new, fitted) - measure(*new, Calibration()))
    return np.mean(changes)


@pytest.mark.parametrize(("count", "num_classes"), [(6, 2), (6, 30), (36, 10), (200, 2), (200, 10)])
def test_it_is_no_worse_than_none(count, num_classes):
    for boast, wrong_labels in ((TRUE, 0.0), (TRUE, 0.05), (OVERCONFIDENT, 0.0), (UNDERCONFIDENT, 0.0)):
        assert simulate(count, num_classes, boast, wrong_labels) < 0.01


@pytest.mark.parametrize(("num_classes", "boast"), [(2, UNDERCONFIDENT), (10, UNDERCONFIDENT), (10, OVERCONFIDENT)])
def test_it_helps_where_pictures_are_enough(num_classes, boast):
    assert simulate(200, num_classes, boast) < -0.06


def test_where_pictures_cannot_tell_nothing_is_changed(caplog):
    caplog.set_level("INFO", "discern")
    logits, targets = draw(np.random.default_rng(0), 36, 3, TRUE)
    found = calibrate(logits, targets, "cross-validated")
    assert (found.temperature, found.scales, found.count) == (1.0, None, 36)
    assert found.is_neutral
    assert found.ece_after == found.ece_before == pytest.approx(measure(logits, targets, Calibration()))
    assert "confidences stay as the network gives them: 36 validation pictures do not show" in caplog.text


def test_the_error_that_is_kept_is_not_that_of_the_pictures_it_was_fitted_to():
    """All 36 right, as easily as a network likes it: the error on the same pictures would be far too low."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(36, 2))
    logits[np.arange(36), np.arange(36) % 2] += 2.5
    targets = logits.argmax(axis=1)
    found = calibrate(torch.from_numpy(logits), targets, "temperature")
    assert 0.4 < found.temperature < 1
    assert measure(torch.from_numpy(logits), targets, found) < found.ece_after < found.ece_before


def test_vectors_are_taken_where_they_pay_and_only_there():
    scales, biases = np.array([0.5, 1.0, 2.0]), np.array([0.0, -2.0, 2.0])

    def draw_crooked(seed, count):
        rng = np.random.default_rng(seed)
        true = 2 * rng.normal(size=(count, 3))
        targets = (softmax(true, axis=1).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
        return torch.from_numpy((true - biases) / scales), targets

    found = calibrate(*draw_crooked(0, 600), "cross-validated")
    assert found.scales is not None
    new = draw_crooked(1, 3000)
    assert measure(*new, found) < 0.5 * measure(*new, Calibration())
    assert found.describe().startswith("confidences are calibrated with temperature")
    assert calibrate(*draw_crooked(0, 600), "temperature").scales is None
    assert calibrate(*draw_crooked(0, 29), "cross-validated").scales is None


@pytest.mark.parametrize("count", [0, 1])
def test_one_picture_calibrates_nothing(count):
    assert calibrate(torch.zeros(count, 2), np.zeros(count, dtype=np.int64), "cross-validated") == Calibration()
