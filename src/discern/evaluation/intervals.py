"""Measured values with their confidence intervals."""

from math import sqrt
from statistics import NormalDist
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer


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


def wilson_interval(successes: int, count: int, confidence: float = 0.95) -> Interval:
    """Return the confidence interval of a fraction; it stays within 0..1 and is valid for small counts, 0 and all.

    Raises:
        ValueError: `count` is below 1 or `successes` lies outside 0..count.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    if count < 1 or not 0 <= successes <= count:
        raise ValueError(f"expected 0 <= successes <= count and count >= 1, got {successes} of {count}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    fraction = successes / count
    shrink = 1 + z * z / count
    centre = (fraction + z * z / (2 * count)) / shrink
    half_width = z * sqrt(fraction * (1 - fraction) / count + z * z / (4 * count * count)) / shrink
    # At 0 and at all successes the bound equals the fraction; rounding must not put it on the wrong side.
    return Interval(
        fraction, min(fraction, max(0.0, centre - half_width)), max(fraction, min(1.0, centre + half_width))
    )


def bootstrap_interval(value: float, resampled: NDArray[np.float64], confidence: float = 0.95) -> Interval:
    """Return the interval of a statistic from its bootstrap resamples (R,), corrected for their median bias.

    Without the correction, the interval of macro F1 over many small classes can lie wholly below the value itself.
    Where all resamples agree, as for a classifier without a mistake, the width is zero, which is too optimistic.

    Source: Efron, "Nonparametric standard errors and confidence intervals", 1981 (the BC method). We also widen the
    interval where needed to include the value.
    """
    normal = NormalDist()
    resamples = len(resampled)
    below = (np.sum(resampled < value) + np.sum(resampled <= value)) / (2 * resamples)
    bias = normal.inv_cdf(min(max(float(below), 0.5 / resamples), 1 - 0.5 / resamples))
    z = normal.inv_cdf(0.5 + confidence / 2)
    low, high = np.quantile(resampled, [normal.cdf(2 * bias - z), normal.cdf(2 * bias + z)])
    return Interval(value, min(value, float(low)), max(value, float(high)))
