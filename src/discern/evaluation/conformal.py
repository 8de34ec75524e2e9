"""Prediction sets: sets of classes that contain the true one as often as asked for."""

from math import ceil

import numpy as np
from numpy.typing import NDArray


def compute_min_probability(true_probabilities: NDArray[np.floating], set_coverage: float) -> float:
    """Return the smallest probability at which a class enters the prediction set.

    It is the quantile of the probabilities (N,) of the true classes of pictures that were not trained on, with the
    correction for a finite sample: the set of a new picture of the same kind contains its true class with a probability
    of at least `set_coverage` (0..1). It is 0, so that sets contain all classes, where N pictures are too few for that.

    Source: split conformal prediction with the score 1 - p (Sadinle et al., "Least ambiguous set-valued classifiers
    with bounded error levels", 2019, https://arxiv.org/abs/1609.00451).
    """
    count = len(true_probabilities)
    rank = ceil((count + 1) * set_coverage)
    if rank > count:
        return 0.0
    # The rank-th smallest score 1 - p is the rank-th largest probability.
    return float(np.sort(true_probabilities.astype(np.float64))[count - rank])


def build_sets(probabilities: NDArray[np.floating], min_probability: float) -> NDArray[np.bool_]:
    """Return which classes are in the set of each picture (N, K); the most probable one always is.

    The last rule only adds classes, so that the coverage of the sets still holds.
    """
    sets = probabilities >= min_probability
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return np.asarray(sets)
