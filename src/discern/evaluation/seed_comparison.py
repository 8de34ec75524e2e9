"""Accuracies and differences of ways of training that were each run with several seeds, on the same pictures."""

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from discern.evaluation.intervals import Interval, wilson_interval


def estimate_mean(values: NDArray[np.floating], confidence: float = 0.95) -> Interval:
    """Return the mean of values (S, N), one row per seed and one column per picture, with its interval.

    The values are 1 and 0 for right and wrong, whose mean is the accuracy, or the differences (-1, 0, 1) of two ways
    with the same seeds. The interval accounts for other seeds and other pictures: the variance over pictures (of their
    means over seeds) and that over seeds (of their means over pictures) are added. As the second contains some of the
    first, the interval is rather too wide than too narrow. With one seed it covers other pictures only.

    Source: crossed random effects of two factors; degrees of freedom as in Satterthwaite, "An approximate distribution
    of estimates of variance components", 1946.

    Raises:
        ValueError: There are fewer than two pictures, or no seed.
    """
    seeds, pictures = values.shape
    if seeds < 1 or pictures < 2:
        raise ValueError(f"expected one seed or more and two pictures or more, got {seeds} and {pictures}")
    mean = float(values.mean())
    of_pictures = float(values.mean(axis=0).var(ddof=1)) / pictures
    of_seeds = float(values.mean(axis=1).var(ddof=1)) / seeds if seeds > 1 else 0.0
    variance = of_pictures + of_seeds
    if variance == 0:
        return Interval(mean, mean, mean)
    spread = of_pictures**2 / (pictures - 1) + (of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0)
    freedom = variance**2 / spread if spread > 0 else inf
    half = float(stdtrit(freedom, 0.5 + confidence / 2)) * sqrt(variance)
    return Interval(mean, mean - half, mean + half)


def estimate_accuracy(is_correct: NDArray[np.floating]) -> Interval:
    """Return the accuracy of predictions (S, N) that are right (1) or wrong (0), one row per seed, with its interval.

    It lies in 0..1. Where all are right, or all wrong, it is Wilson's interval for N pictures.

    Raises:
        ValueError: There are fewer than two pictures, or no seed.
    """
    value, low, high = estimate_mean(is_correct)
    if value in (0, 1):
        pictures = is_correct.shape[1]
        return wilson_interval(int(value) * pictures, pictures)
    return Interval(value, max(0.0, low), min(1.0, high))


def describe_difference(name: str, other: str, difference: Interval) -> str:
    """Return a sentence that says whether `name` is better than `other`, from the difference of their accuracies."""
    value, low, high = (100 * end for end in difference)
    found = f"{name} over {other}: {value:+.1f} points [{low:+.1f}, {high:+.1f}]"
    if difference.low > 0:
        return f"{found}, better"
    return f"{found}, worse" if difference.high < 0 else f"{found}, not distinguishable"
