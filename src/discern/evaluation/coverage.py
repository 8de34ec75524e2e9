"""The error of a classifier that answers only where it is confident, and the choice of the threshold."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.evaluation.intervals import wilson_interval

REPORTED_ERRORS = (0.01, 0.02, 0.05, 0.1)
"""Shares of wrong answers for which reports state the threshold and the share of pictures answered."""


class OperatingPoint(NamedTuple):
    """The smallest confidence at which a classifier answers, and the outcome on the pictures it was chosen on.

    `coverage` is the share of pictures answered; `error` the share of wrong ones among them, at most `error_high` with
    97.5 % confidence; `pictures` is the number of all.
    """

    threshold: float
    coverage: float
    error: float
    error_high: float
    pictures: int

    def describe(self) -> str:
        """Return a sentence with the threshold and its outcome on validation pictures."""
        return (
            f"an answer takes a confidence of {self.threshold:.1%}: {self.coverage:.0%} of {self.pictures} validation "
            f"pictures had it, and {self.error:.1%} of those were wrong (at most {self.error_high:.1%} with 97.5 % "
            "confidence)"
        )


def compute_coverage(confidences: NDArray[np.floating], is_correct: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the risk-coverage curve: threshold, coverage, error and error_high, a row for each different confidence.

    A picture is answered where its confidence is at least the threshold. `error_high` is the upper end of the 95 %
    Wilson interval of the error. Rows go from the highest threshold to the lowest.

    Source: El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010.
    """
    answered, wrong, thresholds = _count_answers(confidences, is_correct)
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "coverage": answered / len(confidences),
            "error": wrong / answered,
            "error_high": [
                wilson_interval(int(errors), int(count)).high for errors, count in zip(wrong, answered, strict=True)
            ],
        }
    )


def choose_operating_point(
    confidences: NDArray[np.floating], is_correct: NDArray[np.bool_], max_error: float
) -> OperatingPoint | None:
    """Return the threshold that answers most pictures (N,) while at most `max_error` (0..1) of the answers are wrong.

    The error is estimated with a margin, because few pictures cannot show a small error: 1 % takes about 150 pictures
    answered without a mistake. None where no threshold reaches it. In simulations (100 to 2000 pictures, errors of 2 to
    10 %, calibrated and overconfident) the error on new pictures was on average at most the one asked for; with 400
    pictures it exceeded it by a quarter in up to one case in seven.
    """
    answered, wrong, thresholds = _count_answers(confidences, is_correct)
    good = np.flatnonzero(_estimate_errors(wrong, answered) <= max_error)
    if len(good) == 0:
        return None
    place = good[-1]
    errors, count = int(wrong[place]), int(answered[place])
    return OperatingPoint(
        threshold=float(thresholds[place]),
        coverage=count / len(confidences),
        error=errors / count,
        error_high=wilson_interval(errors, count).high,
        pictures=len(confidences),
    )


def find_smallest_error(confidences: NDArray[np.floating], is_correct: NDArray[np.bool_]) -> float:
    """Return the smallest `max_error` for which `choose_operating_point` finds a threshold."""
    answered, wrong, _ = _count_answers(confidences, is_correct)
    return float(_estimate_errors(wrong, answered).min())


def _estimate_errors(wrong: NDArray[np.int64], answered: NDArray[np.int64]) -> NDArray[np.float64]:
    """Count one more mistake than was observed, and add half a standard error.

    The first corrects for a finite sample, as in conformal risk control (Angelopoulos et al., 2022,
    https://arxiv.org/abs/2208.02814); the second for choosing the best of many thresholds.
    """
    errors = (wrong + 1) / (answered + 1)
    return np.asarray(errors + 0.5 * np.sqrt(errors * (1 - errors) / answered))


def _count_answers(
    confidences: NDArray[np.floating], is_correct: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return for each distinct confidence, from the highest, the counts of answers and of wrong ones, and itself."""
    if len(confidences) == 0:
        raise ValueError("expected at least one picture, got none")
    order = np.argsort(-confidences, kind="stable")
    sorted_confidences = confidences[order].astype(np.float64)
    last_of_equals = np.flatnonzero(np.diff(sorted_confidences, append=-np.inf))
    wrong = np.cumsum(~is_correct[order], dtype=np.int64)[last_of_equals]
    return last_of_equals + 1, wrong, sorted_confidences[last_of_equals]
