"""Temperature scaling: one number that calibrates the probabilities on validation pictures."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

_LARGEST_LOG = float(np.log(20.0))
_PRIOR_DEVIATION = 0.5
_UNDECIDED_PICTURES = 1.0


def fit_temperature(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """Return the temperature T that logits (N, K) are divided by, so that their softmax fits targets (N,) best.

    Above 1 it lowers the confidence, below 1 it raises it; the most probable class stays the same.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599, section 4.2.
    Where all N pictures are right, the likelihood has no optimum. So we add two priors, which have no weight when
    pictures are many: a normal one on log T (mean 0, deviation 1/2), and one more picture that is spread over the given
    ones and is of every class alike, as in Platt, "Probabilistic outputs for support vector machines", 1999, section
    2.2. T is in 1/20..20.

    Raises:
        ValueError: There is no picture.
    """
    count, num_classes = logits.shape
    if count == 0:
        raise ValueError("a temperature cannot be fitted to no pictures")
    values = np.asarray(logits, dtype=np.float64)
    values = values - values.max(axis=1, keepdims=True)
    share = _UNDECIDED_PICTURES / (count + _UNDECIDED_PICTURES)
    of_targets = (1 - share) * values[np.arange(count), targets] + share / num_classes * values.sum(axis=1)

    def compute_cost(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        losses = logsumexp(values * scale, axis=1) - of_targets * scale
        return float(losses.sum() + (log_temperature / _PRIOR_DEVIATION) ** 2 / 2)

    bounds = (-_LARGEST_LOG, _LARGEST_LOG)
    found = minimize_scalar(compute_cost, bounds=bounds, method="bounded")  # type: ignore[no-untyped-call]
    return float(np.exp(found.x))
