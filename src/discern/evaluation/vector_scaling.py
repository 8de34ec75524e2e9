"""Vector scaling: calibration class by class, where one temperature is not enough and the pictures are many."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

MIN_PICTURES_PER_CLASS = 10
"""With fewer validation pictures it is not tried."""


class VectorScaling(NamedTuple):
    """Factors and offsets of the logits of each class: (K,) each."""

    scales: NDArray[np.float64]
    biases: NDArray[np.float64]

    def apply(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the scaled logits (N, K)."""
        return np.asarray(logits * self.scales + self.biases)


def fit_vector_scaling(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> VectorScaling:
    """Return the scales and biases with which the softmax of logits (N, K) fits targets (N,) best.

    Source: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599, section 4.2.
    We add normal priors (deviation 1) on the biases and on the logarithms of the scales, which stay positive.
    """
    values, (count, num_classes) = logits.astype(np.float64), logits.shape
    rows = np.arange(count)

    def compute_cost(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_scales, biases = np.split(parameters, 2)
        scaled = values * np.exp(log_scales)
        log_probabilities = log_softmax(scaled + biases, axis=1)
        cost = -log_probabilities[rows, targets].sum() + parameters @ parameters / 2
        errors = np.exp(log_probabilities)
        errors[rows, targets] -= 1
        gradient = np.concatenate([(errors * scaled).sum(axis=0), errors.sum(axis=0)])
        return float(cost), gradient + parameters

    found = minimize(compute_cost, np.zeros(2 * num_classes), jac=True, method="L-BFGS-B")  # type: ignore[no-untyped-call]
    log_scales, biases = np.split(found.x, 2)
    return VectorScaling(np.exp(log_scales), biases)
