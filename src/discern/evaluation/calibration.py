"""Calibration: how far the confidence of predictions is from their accuracy."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.evaluation.bootstrap import resample_means
from discern.evaluation.intervals import Interval, exact_interval

NUM_BINS = 15


def compute_gaps(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the contribution of each picture to the gap between accuracy and confidence in each of 15 bins: (N, 15).

    The bins of the top confidence are of equal width and include their upper edge. A row has one entry: 1 or 0, for
    right or wrong, minus the confidence.
    """
    confidences = probabilities.max(axis=1).astype(np.float64)
    gaps = np.zeros((len(targets), NUM_BINS))
    gaps[np.arange(len(targets)), _choose_bins(confidences)] = (probabilities.argmax(axis=1) == targets) - confidences
    return gaps


def compute_ece(mean_gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error (...), in 0..1, of means over pictures (..., 15) of `compute_gaps`.

    It is the distance between accuracy and mean confidence in a bin, averaged over pictures. Random variation alone
    causes such distances, so that even a perfectly calibrated classifier does not reach 0 on finitely many pictures.

    Source: Guo et al., "On calibration of modern neural networks", 2017.
    """
    return np.asarray(np.abs(mean_gaps).sum(axis=-1))


def measure_ece(
    targets: NDArray[np.int64], probabilities: NDArray[np.floating], *, resamples: int = 1000, seed: int = 0
) -> Interval:
    """Return the expected calibration error with its 95 % interval.

    Random variation raises the errors of bootstrap resamples above the value, as it raises the value above the true
    error: usual bootstrap intervals lie too high. So the lower end is that of the basic bootstrap, mirrored at the
    value, and 0 where random variation alone explains the value; the upper end is the higher one of the basic and the
    percentile bootstrap. It is at least the distance between the mean confidence and either end of the interval of the
    accuracy, which the true error cannot undercut: so it is not 0 where no picture is wrong. In simulations of 60 to
    5000 pictures, calibrated or overconfident by up to 20 points, 94 to 98 % of such intervals contain the true error.
    """
    gaps = compute_gaps(targets, probabilities)
    mean_gaps = gaps.mean(axis=0)
    resampled = resample_means(gaps, np.zeros_like(targets), resamples=resamples, seed=seed)
    value = float(compute_ece(mean_gaps))
    lower, upper = np.quantile(compute_ece(resampled), [0.025, 0.975])
    by_chance = np.quantile(compute_ece(resampled - mean_gaps), 0.975)
    low = 0.0 if value <= by_chance else max(0.0, 2 * value - upper)
    accuracy = exact_interval(int((probabilities.argmax(axis=1) == targets).sum()), len(targets))
    confidence = accuracy.value - float(mean_gaps.sum())
    high = max(upper, 2 * value - lower, accuracy.high - confidence, confidence - accuracy.low)
    return Interval(value, min(value, float(low)), max(value, min(1.0, float(high))))


def compute_brier(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the squared distance (N,) between each picture's probabilities and certainty of its class, in 0..2.

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950; the sum over all classes, which
    for two classes is twice the value that is often called by this name.
    """
    distances = probabilities.astype(np.float64)
    distances[np.arange(len(targets)), targets] -= 1
    return np.asarray(np.einsum("nk,nk->n", distances, distances))


def compute_reliability(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> pd.DataFrame:
    """Describe the bins: low, high, count, confidence, accuracy, accuracy_low, accuracy_high.

    `confidence` is the mean over the bin's pictures; accuracy carries its 95 % interval. All are NaN in a bin
    without pictures.
    """
    confidences = probabilities.max(axis=1).astype(np.float64)
    bins, is_correct = _choose_bins(confidences), probabilities.argmax(axis=1) == targets
    counts, hits, sums = (
        np.bincount(bins, weights=weights, minlength=NUM_BINS) for weights in (None, is_correct, confidences)
    )
    nothing = (np.nan, np.nan, np.nan)
    accuracies = [
        exact_interval(int(hit), int(count)) if count else nothing for hit, count in zip(hits, counts, strict=True)
    ]
    accuracy, accuracy_low, accuracy_high = zip(*accuracies, strict=True)
    return pd.DataFrame(
        {
            "low": np.arange(NUM_BINS) / NUM_BINS,
            "high": np.arange(1, NUM_BINS + 1) / NUM_BINS,
            "count": counts,
            "confidence": np.where(counts > 0, sums / np.maximum(counts, 1), np.nan),
            "accuracy": accuracy,
            "accuracy_low": accuracy_low,
            "accuracy_high": accuracy_high,
        }
    )


def _choose_bins(confidences: NDArray[np.float64]) -> NDArray[np.int64]:
    bins = np.ceil(confidences * NUM_BINS).astype(np.int64) - 1
    return np.asarray(np.clip(bins, 0, NUM_BINS - 1))
