"""Simulates calibration and --max-error, for docs/research/trust.md: python -m benchmarks.promises [DRAWS]."""

import logging
import sys

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, softmax

from discern.evaluation.calibration import compute_ece, compute_gaps
from discern.evaluation.coverage import choose_operating_point
from discern.predictor.calibration import Calibration, compute_probabilities
from discern.training.calibrating import calibrate

_NEW_PICTURES = 20_000
_MARGINS = {0.8: 0.84, 0.95: 1.64}
"""Mean margin of a network that is right on such a share of the pictures; margins have a deviation of 1."""
_CORRELATION = 0.7
"""Of the margins of two epochs."""


def simulate_calibration(pictures: int, num_classes: int, boast: float, wrong_labels: float, draws: int) -> float:
    """Return the mean change of the true calibration error, 0..1, of a network that boasts by a factor."""
    rng, changes = np.random.default_rng(pictures + num_classes), []
    for _ in range(draws):
        fitted = calibrate(*_draw_logits(rng, pictures, num_classes, boast, wrong_labels), "cross-validated")
        logits, targets = _draw_logits(rng, 2000, num_classes, boast, wrong_labels)
        with_it, without = (
            float(compute_ece(compute_gaps(targets, compute_probabilities(logits, one)).mean(axis=0)))
            for one in (fitted, Calibration())
        )
        changes.append(with_it - without)
    return float(np.mean(changes))


def simulate_promise(pictures: int, epochs: int, accuracy: float, max_error: float, draws: int) -> tuple[float, float]:
    """Return how often the error of new answers is above `max_error`, and the share that is answered on average.

    The epoch with most validation pictures right is chosen, then the threshold, both on the same pictures.
    """
    rng, broken, answered = np.random.default_rng(pictures + epochs), 0, 0.0
    for _ in range(draws):
        confidences, is_right = _draw_answers(rng, pictures, epochs, accuracy)
        best = is_right.sum(axis=0).argmax()
        point = choose_operating_point(confidences[:, best], is_right[:, best], max_error, choices=epochs)
        if point is None:
            continue
        new, is_right = _draw_answers(rng, _NEW_PICTURES, 1, accuracy)
        is_answered = new >= point.threshold
        broken += (~is_right[is_answered]).mean() > max_error
        answered += is_answered.mean()
    return broken / draws, answered / draws


def main(draws: int) -> None:
    """Print both tables."""
    print("change of the calibration error in points: true, 5 % wrong labels, over- and underconfident")
    for pictures, num_classes in ((6, 2), (6, 30), (36, 2), (36, 10), (200, 2), (200, 10)):
        kinds = ((1.0, 0.0), (1.0, 0.05), (2.5, 0.0), (0.4, 0.0))
        changes = [100 * simulate_calibration(pictures, num_classes, *kind, draws) for kind in kinds]
        print(f"{pictures:5} {num_classes:3} ", *(f"{change:+6.1f}" for change in changes))
    print("--max-error: pictures, epochs, accuracy: promise broken, answered")
    for max_error in (0.05, 0.1):
        for pictures in (36, 100, 400, 1000):
            for epochs in (1, 10, 30):
                for accuracy in _MARGINS:
                    broken, answered = simulate_promise(pictures, epochs, accuracy, max_error, draws)
                    found = f"{broken:.1%} {answered:.0%}"
                    print(f"{max_error:.0%} {pictures:5} {epochs:3} {accuracy:.0%}: {found}")


def _draw_logits(
    rng: np.random.Generator, count: int, num_classes: int, boast: float, wrong_labels: float
) -> tuple[torch.Tensor, NDArray[np.int64]]:
    logits = 4 * rng.normal(size=(count, num_classes))
    targets = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    is_wrong = rng.random(count) < wrong_labels
    return torch.from_numpy(boast * logits), np.where(is_wrong, rng.integers(num_classes, size=count), targets)


def _draw_answers(
    rng: np.random.Generator, count: int, epochs: int, accuracy: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return confidences and hits (count, epochs), or (count,) for one epoch of new pictures."""
    common, own = rng.normal(size=(count, 1)), rng.normal(size=(count, epochs))
    margins = _MARGINS[accuracy] + np.sqrt(_CORRELATION) * common + np.sqrt(1 - _CORRELATION) * own
    confidences = expit(1.5 * (np.abs(margins) + 0.6 * rng.normal(size=margins.shape)))
    if count == _NEW_PICTURES:
        return confidences[:, 0], margins[:, 0] > 0
    return confidences, margins > 0


if __name__ == "__main__":
    logging.disable()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 150)
