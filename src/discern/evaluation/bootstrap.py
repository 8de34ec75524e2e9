"""Stratified bootstrap: pictures are resampled within their class, so that class sizes stay the same."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_DRAWS_PER_BLOCK = 1_000_000


class ClassCounts(NamedTuple):
    """The counts by class of one confusion matrix, or of R resampled ones.

    `hits` and `predicted` are (..., K), `true` is (K,): resampling does not change it.
    """

    hits: NDArray[np.int64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]


def count_classes(confusion: NDArray[np.int64]) -> ClassCounts:
    """Reduce a confusion matrix (K, K), true classes in rows, to counts (K,)."""
    return ClassCounts(hits=confusion.diagonal(), true=confusion.sum(axis=1), predicted=confusion.sum(axis=0))


def resample_counts(confusion: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0) -> ClassCounts:
    """Resample the pictures of each class `resamples` times, and count.

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
    """Return the means (R,) of values (N,), or (R, M) of (N, M), over pictures resampled within their class."""
    sums = [weights @ values for weights in draw_weights(targets, resamples=resamples, seed=seed)]
    return np.concatenate(sums) / len(values)


def draw_weights(targets: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """Yield how often each picture is drawn when pictures are resampled within their class: (rows, N), R in all."""
    rng = np.random.default_rng(seed)
    count = len(targets)
    order = np.argsort(targets, kind="stable")
    _, first, size = np.unique(targets[order], return_index=True, return_counts=True)
    starts, sizes = np.repeat(first, size), np.repeat(size, size)
    block = max(1, _DRAWS_PER_BLOCK // count)
    for done in range(0, resamples, block):
        rows = min(block, resamples - done)
        drawn = order[starts + (rng.random((rows, count)) * sizes).astype(np.int64)]
        drawn += count * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)
