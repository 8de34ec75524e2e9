"""Accuracies and differences of ways of training that were each run with several seeds, on the same pictures."""

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from discern.evaluation.intervals import Interval, score_interval

_NORMAL = 1.959964


def estimate_mean(values: NDArray[np.floating]) -> Interval:
    """Return the mean of values (S, N) in -1..1, a row per seed and a column per picture, with its 95 % interval.

    The values are differences (-1, 0, 1) of two ways of training with the same seeds. The interval accounts for other
    seeds and other pictures: see `_estimate_variance`. Two more pictures, one that is better and one that is worse,
    give it a width where the two ways answer alike, as they do in the interval of Bonett and Price, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data", 2012, for one seed.

    Raises:
        ValueError: There is no picture, or no seed.
    """
    seeds, pictures = values.shape
    if seeds < 1 or pictures < 1:
        raise ValueError(f"expected one seed or more and one picture or more, got {seeds} and {pictures}")
    mean, more = float(values.mean()), np.concatenate([values, np.tile([1.0, -1.0], (seeds, 1))], axis=1)
    variance, freedom = _estimate_variance(more)
    half, centre = float(stdtrit(freedom, 0.975)) * sqrt(variance), float(more.mean())
    return Interval(mean, max(-1.0, min(mean, centre - half)), min(1.0, max(mean, centre + half)))


def estimate_accuracy(is_correct: NDArray[np.floating]) -> Interval:
    """Return the accuracy of predictions (S, N) that are right (1) or wrong (0), one row per seed, with its interval.

    It accounts for other seeds and other pictures, and is the exact interval of a fraction where there is one seed.

    Raises:
        ValueError: There is no picture, or no seed.
    """
    seeds, pictures = is_correct.shape
    if seeds < 1 or pictures < 1:
        raise ValueError(f"expected one seed or more and one picture or more, got {seeds} and {pictures}")
    value = float(is_correct.mean())
    if seeds == 1 or pictures == 1:
        return score_interval(value, 0.0, pictures)
    variance, freedom = _estimate_variance(is_correct)
    # Few seeds know their variance badly: Student's factor over the normal one widens the interval accordingly.
    widened = variance * (float(stdtrit(freedom, 0.975)) / _NORMAL) ** 2
    return score_interval(value, widened, pictures)


def _estimate_variance(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the variance of the mean of values (S, N), N above 1, and its degrees of freedom.

    The variance over pictures (of their means over seeds) and that over seeds (of their means over pictures) are added.
    As the second contains some of the first, the sum is rather too large than too small. With one seed it covers other
    pictures only.

    Source: crossed random effects of two factors; degrees of freedom as in Satterthwaite, "An approximate distribution
    of estimates of variance components", 1946.
    """
    seeds, pictures = values.shape
    of_pictures = float(values.mean(axis=0).var(ddof=1)) / pictures
    of_seeds = float(values.mean(axis=1).var(ddof=1)) / seeds if seeds > 1 else 0.0
    spread = of_pictures**2 / (pictures - 1) + (of_seeds**2 / (seeds - 1) if seeds > 1 else 0.0)
    variance = of_pictures + of_seeds
    return variance, variance**2 / spread if spread > 0 else inf


def describe_difference(name: str, other: str, difference: Interval) -> str:
    """Return a sentence that says whether `name` is better than `other`, from the difference of their accuracies."""
    value, low, high = (100 * end for end in difference)
    found = f"{name} over {other}: {value:+.1f} points [{low:+.1f}, {high:+.1f}]"
    if difference.low > 0:
        return f"{found}, better"
    return f"{found}, worse" if difference.high < 0 else f"{found}, not distinguishable"
