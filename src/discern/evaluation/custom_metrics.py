"""Metrics that a user gives as functions."""

import logging
from collections.abc import Callable, Mapping
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from discern.errors import ConfigError, cut

logger = logging.getLogger("discern")

MetricFunction = Callable[[NDArray[np.int64], NDArray[np.floating]], float]
"""Takes targets (N,) and probabilities (N, K), and returns one number."""


def compute_custom_metrics(
    functions: Mapping[str, MetricFunction], targets: NDArray[np.int64], probabilities: NDArray[np.floating]
) -> dict[str, float]:
    """Return the value of each function by its name; one that is not finite is left out with a warning.

    Raises:
        ConfigError: A function returns something else than a number.
    """
    values = {}
    for name, function in functions.items():
        # A function that changes its arguments must not change what others see.
        found = function(targets.copy(), probabilities.copy())
        try:
            value = float(found)
        except (TypeError, ValueError):
            raise ConfigError(
                f"the metric {name!r} returned {cut(repr(found))}; expected one number from (targets, probabilities)"
            ) from None
        if isfinite(value):
            values[name] = value
        else:
            logger.warning("the metric %r is %s on these %d pictures and left out", name, value, len(targets))
    return values
