"""Whether a calibration helps on pictures that it was not fitted to, by cross-validation."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax, stdtrit

from discern.evaluation.calibration import compute_brier

_FOLDS = 5
_CONFIDENCE = 0.95

Logits = NDArray[np.floating]
Rescale = Callable[[Logits], NDArray[np.float64]]
"""Maps logits (N, K) to calibrated ones (N, K)."""


def calibrate_held_out(
    fit: Callable[[Logits, NDArray[np.int64]], Rescale], logits: Logits, targets: NDArray[np.int64], *, seed: int = 0
) -> NDArray[np.float64]:
    """Return calibrated logits (N, K), each picture's by what `fit` finds on the other four fifths of the pictures.

    Raises:
        ValueError: There are fewer than two pictures.
    """
    count = len(targets)
    if count < 2:
        raise ValueError(f"cross-validation takes two pictures, got {count}")
    folds = np.random.default_rng(seed).permutation(count) % min(_FOLDS, count)
    calibrated = np.empty(logits.shape, dtype=np.float64)
    for fold in np.unique(folds):
        held_out = folds == fold
        calibrated[held_out] = fit(logits[~held_out], targets[~held_out])(logits[held_out])
    return calibrated


def is_better(calibrated: Logits, plain: Logits, targets: NDArray[np.int64]) -> bool:
    """Return whether calibrated logits (N, K) are better: by a one-sided paired t-test, with 95 % confidence.

    Compared are the Brier scores, in which one confident mistake, perhaps a wrong label, cannot outweigh all other
    pictures as it can in the loss. Where few pictures show no difference, nothing should be changed.
    """
    gains = _score(plain, targets) - _score(calibrated, targets)
    error = gains.std(ddof=1) / np.sqrt(len(gains))
    return bool(gains.mean() > stdtrit(len(gains) - 1, _CONFIDENCE) * error)


def _score(logits: Logits, targets: NDArray[np.int64]) -> NDArray[np.float64]:
    return compute_brier(targets, softmax(logits.astype(np.float64), axis=1))
