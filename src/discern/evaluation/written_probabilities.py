"""Probabilities as a predictions.csv has them: what is computed from them can be computed again from the file."""

import numpy as np
from numpy.typing import NDArray

MAX_WHOLE_CLASSES, _KEPT_CLASSES = 100, 20
"""Of more classes, only so many probabilities a row are written: 2,000 make 22 kilobytes a picture, and 20 make 2."""
_DIGITS = 6
_SMALLEST_POWER = -300


def as_written(
    probabilities: NDArray[np.floating], targets: NDArray[np.int64], predictions: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return probabilities (N, K) as they are when they have been written to a file and read."""
    written = round_as_written(probabilities)
    if written.shape[1] > MAX_WHOLE_CLASSES:
        written = spread_rest(written, ~find_kept(written, targets))
    put_first(written, predictions)
    return written


def round_as_written(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return numbers (...), each at least 0, as they are when they have been written with six digits and read."""
    numbers = np.asarray(values, dtype=np.float64)
    powers = np.floor(np.log10(numbers, out=np.full(numbers.shape, -np.inf), where=numbers > 0))
    # A whole number divided by a power of ten is the number that is read from its digits, to the last bit.
    scales = 10.0 ** (_DIGITS - 1 - np.maximum(powers, _SMALLEST_POWER))
    return np.asarray(np.round(numbers * scales) / scales)


def find_kept(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which probabilities (N, K) of many classes are written: the highest of a row, and that of the target."""
    kept = np.zeros(probabilities.shape, dtype=np.bool_)
    np.put_along_axis(kept, np.argpartition(-probabilities, _KEPT_CLASSES, axis=1)[:, :_KEPT_CLASSES], True, axis=1)
    labelled = np.flatnonzero(targets >= 0)
    kept[labelled, targets[labelled]] = True
    return kept


def spread_rest(probabilities: NDArray[np.float64], is_left_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return probabilities (N, K) with what a row lacks of 1 given evenly to those that were left out.

    None of these gets more than the smallest of the most probable ones, which were written.
    """
    known = np.where(is_left_out, 0.0, probabilities)
    lacking = np.clip(1 - known.sum(axis=1), 0, None) / np.maximum(is_left_out.sum(axis=1), 1)
    limits = np.partition(known, -_KEPT_CLASSES, axis=1)[:, -_KEPT_CLASSES]
    return np.where(is_left_out, np.minimum(lacking, limits)[:, None], probabilities)


def put_first(probabilities: NDArray[np.float64], predictions: NDArray[np.int64]) -> None:
    """Make the predicted class (N,) the first again where six digits made it equal to another one before it."""
    tied = np.flatnonzero(probabilities.argmax(axis=1) != predictions)
    probabilities[tied, predictions[tied]] = np.nextafter(probabilities[tied].max(axis=1, initial=0.0), 2)
