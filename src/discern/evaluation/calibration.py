"""Whether a classifier is right as often as it says: its top confidence against its accuracy."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.evaluation.intervals import Interval, wilson_interval

NUM_BINS = 15


def compute_gaps(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what each picture adds to the gap between accuracy and confidence in each of 15 bins: (N, 15).

    The bins of the top confidence are of equal width and own their upper edge. A row has one entry: 1 or 0, for right
    or wrong, less the confidence.
    """
    confidences = probabilities.max(axis=1).astype(np.float64)
    gaps = np.zeros((len(targets), NUM_BINS))
    gaps[np.arange(len(targets)), _choose_bins(confidences)] = (probabilities.argmax(axis=1) == targets) - confidences
    return gaps


def compute_ece(mean_gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected calibration error (...), in 0..1, of means over pictures (..., 15) of `compute_gaps`.

    It is the distance between accuracy and mean confidence in a bin, averaged over pictures. Chance alone makes such
    distances, so that even a perfectly calibrated classifier does not reach 0 on a finite number of pictures.

    Source: Guo et al., "On calibration of modern neural networks", 2017.
    """
    return np.asarray(np.abs(mean_gaps).sum(axis=-1))


def bound_ece(mean_gaps: NDArray[np.float64], resampled: NDArray[np.float64]) -> Interval:
    """Return the expected calibration error of mean gaps (15,) with a 95 % interval from resampled ones (R, 15).

    Chance makes resamples err more than the value, as it makes the value err more than the truth: usual bootstrap
    intervals lie above the truth. So the lower end is turned around the value (the basic bootstrap), and 0 where chance
    alone makes errors as large as the value; the upper end is the higher one of the basic and of the percentile
    bootstrap. In simulations of 60 to 5000 pictures, calibrated or boasting by up to 20 points, 94 to 98 % of such
    intervals hold the truth.
    """
    value = float(compute_ece(mean_gaps))
    lower, upper = np.quantile(compute_ece(resampled), [0.025, 0.975])
    of_chance = np.quantile(compute_ece(resampled - mean_gaps), 0.975)
    low = 0.0 if value <= of_chance else max(0.0, 2 * value - upper)
    high = min(1.0, max(upper, 2 * value - lower))
    return Interval(value, min(value, float(low)), max(value, float(high)))


def compute_brier(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the squared distance (N,) between each picture's probabilities and certainty of its class, in 0..2.

    Source: Brier, "Verification of forecasts expressed in terms of probability", 1950; the sum over all classes, which
    for two of them is twice what is often meant.
    """
    distances = probabilities.astype(np.float64)
    distances[np.arange(len(targets)), targets] -= 1
    return np.asarray(np.einsum("nk,nk->n", distances, distances))


def compute_reliability(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> pd.DataFrame:
    """Describe the bins: low, high, count, confidence, accuracy, accuracy_low, accuracy_high.

    `confidence` is the mean over the bin's pictures; accuracy carries its 95 % Wilson interval. All are NaN in a bin
    without pictures.
    """
    confidences = probabilities.max(axis=1).astype(np.float64)
    bins, is_right = _choose_bins(confidences), probabilities.argmax(axis=1) == targets
    counts, hits, sums = (
        np.bincount(bins, weights=weights, minlength=NUM_BINS) for weights in (None, is_right, confidences)
    )
    nothing = (np.nan, np.nan, np.nan)
    accuracies = [
        wilson_interval(int(hit), int(count)) if count else nothing for hit, count in zip(hits, counts, strict=True)
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
