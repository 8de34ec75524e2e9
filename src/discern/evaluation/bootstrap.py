"""Stratified bootstrap: resample the pictures of each class among themselves, so that class sizes stay as they are."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DRAWS_AT_ONCE = 1_000_000


class ClassCounts(NamedTuple):
    """What macro averages need of one confusion matrix, or of R resampled ones: `hits` and `predicted` are (..., K)."""

    hits: NDArray[np.int64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]


def count_classes(confusion: NDArray[np.int64]) -> ClassCounts:
    """Reduce a confusion matrix (K, K), true classes in rows, to counts (K,)."""
    return ClassCounts(hits=confusion.diagonal(), true=confusion.sum(axis=1), predicted=confusion.sum(axis=0))


def resample_counts(confusion: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0) -> ClassCounts:
    """Draw every picture anew from its own class, `resamples` times, and count.

    A row of the confusion matrix of pictures drawn with replacement is a multinomial sample of that row, so the rows
    are drawn directly and the cost does not depend on the number of pictures.
    """
    rng = np.random.default_rng(seed)
    original = count_classes(confusion)
    hits = np.zeros((resamples, len(confusion)), dtype=np.int64)
    predicted = np.zeros_like(hits)
    for target in np.flatnonzero(original.true):
        reached = np.flatnonzero(confusion[target])
        shares = confusion[target, reached] / original.true[target]
        drawn = rng.multinomial(original.true[target], shares, size=resamples)
        predicted[:, reached] += drawn
        hits[:, target] = drawn[:, reached == target].sum(axis=1)
    return ClassCounts(hits=hits, true=original.true, predicted=predicted)


def resample_means(
    values: NDArray[np.float64], targets: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0
) -> NDArray[np.float64]:
    """Return the means (R,) of values (N,) when every picture is drawn anew from its own class."""
    rng = np.random.default_rng(seed)
    totals = np.zeros(resamples)
    for target in np.unique(targets):
        stratum = values[targets == target]
        block = max(1, _DRAWS_AT_ONCE // len(stratum))
        for start in range(0, resamples, block):
            rows = min(block, resamples - start)
            drawn = rng.integers(len(stratum), size=(rows, len(stratum)))
            totals[start : start + rows] += stratum.take(drawn).sum(axis=1)
    return totals / len(values)
