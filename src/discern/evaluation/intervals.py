"""Measured values with their confidence intervals."""

from math import sqrt
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer
from scipy.special import betaincinv, stdtrit

_ROUNDING = 1e-9


class Interval(NamedTuple):
    """An estimate and the two ends of its confidence interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """Return the three numbers by name, ready for JSON."""
        return self._asdict()


SavedInterval = Annotated[Interval, PlainSerializer(Interval.to_dict)]
"""An `Interval` as a field of a pydantic model: in JSON its three numbers stand by name."""


def exact_interval(successes: int, count: int) -> Interval:
    """Return the 95 % confidence interval of a fraction; it contains the true one in at least 95 % of all cases.

    Raises:
        ValueError: `count` is below 1 or `successes` lies outside 0..count.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    1934. Shorter intervals, such as Wilson's, contain a true fraction near 0 or 1 in as few as 84 % of all cases.
    """
    if count < 1 or not 0 <= successes <= count:
        raise ValueError(f"expected 0 <= successes <= count and count >= 1, got {successes} of {count}")
    return _bound_fraction(successes / count, count)


def exact_upper_bound(successes: int, count: int, confidence: float) -> float:
    """Return what a fraction is at most, with this confidence: the one-sided bound of Clopper and Pearson."""
    return 1.0 if successes == count else float(betaincinv(successes + 1, count - successes, confidence))


def score_interval(value: float, variance: float, max_count: float) -> Interval:
    """Return the 95 % interval of a score in 0..1 that is not a plain fraction, such as balanced accuracy or macro F1.

    It is the interval of a fraction of so many pictures as would give it the same variance. These are never more than
    `max_count`, so that a perfect score, whose estimated variance is 0, is not certain; for a plain fraction of
    `max_count` pictures it is that of `exact_interval`.

    Source: Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", 1998; we use it for other scores, too.
    """
    spread = value * (1 - value)
    is_as_certain = spread == 0 or variance * max_count <= spread * (1 + _ROUNDING)
    return _bound_fraction(value, max_count if is_as_certain else spread / variance)


def mean_interval(values: NDArray[np.floating], usual: float) -> Interval:
    """Return the mean of values (N,), each at least 0, with its 95 % interval; `usual` is a value that can occur.

    It is Student's interval, with one more picture of the `usual` value, so that equal values and a single one have an
    interval too. A rare large value that was not among the N is beyond what any such interval can know.
    """
    more = np.append(values, usual)
    mean, half = float(more.mean()), float(stdtrit(len(values), 0.975) * more.std(ddof=1) / sqrt(len(more)))
    value = float(values.mean())
    return Interval(value, min(value, max(0.0, mean - half)), max(value, mean + half))


def _bound_fraction(fraction: float, count: float) -> Interval:
    """Return the interval of Clopper and Pearson for a count that need not be whole."""
    successes = fraction * count
    low = float(betaincinv(successes, count - successes + 1, 0.025)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, count - successes, 0.975)) if successes < count else 1.0
    # Rounding must not put the value on the wrong side.
    return Interval(fraction, min(fraction, low), max(fraction, high))
