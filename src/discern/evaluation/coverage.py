"""The error of a classifier that answers only where it is confident, and the choice of the threshold."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom  # type: ignore[attr-defined]

from discern.evaluation.intervals import exact_interval, exact_upper_bound
from discern.percent import percent

PROMISE_CONFIDENCE = 0.95
"""How often a promised share of wrong answers is kept, over classifiers that are trained and thresholds chosen."""

_STEPS_OF_ERROR = 10_000

REPORTED_ERRORS = (0.01, 0.02, 0.05, 0.1)
"""Shares of wrong answers for which reports state the threshold and the share of pictures answered."""


class OperatingPoint(NamedTuple):
    """The smallest confidence at which a classifier answers, and the outcome on the pictures it was chosen on.

    `coverage` is the share of pictures answered; `error` the share of wrong ones among them. Of new pictures of the
    same kind it is at most `error_high`, with 95 % confidence; `pictures` is the number of all.
    """

    threshold: float
    coverage: float
    error: float
    error_high: float
    pictures: int

    def describe(self) -> str:
        """Return a sentence with the threshold and its outcome on validation pictures."""
        return (
            f"an answer takes a confidence of {percent(self.threshold)}: {percent(self.coverage, 0)} of "
            f"{self.pictures} validation pictures had it, and {percent(self.error)} of those were wrong; "
            f"of new pictures like these at most "
            f"{percent(self.error_high)}, with 95 % confidence"
        )


def compute_coverage(confidences: NDArray[np.floating], is_correct: NDArray[np.bool_]) -> pd.DataFrame:
    """Return the risk-coverage curve: threshold, coverage, error and error_high, a row for each different confidence.

    A picture is answered where its confidence is at least the threshold. `error_high` is the upper end of the 95 %
    interval of the error at that threshold alone; it does not count that a threshold may be chosen by it. Rows go from
    the highest threshold to the lowest.

    Source: El-Yaniv and Wiener, "On the foundations of noise-free selective classification", 2010.
    """
    answered, wrong, thresholds = _count_answers(confidences, is_correct)
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "coverage": answered / len(confidences),
            "error": wrong / answered,
            "error_high": [
                exact_interval(int(errors), int(count)).high for errors, count in zip(wrong, answered, strict=True)
            ],
        }
    )


def choose_operating_point(
    confidences: NDArray[np.floating], is_correct: NDArray[np.bool_], max_error: float, *, choices: int = 1
) -> OperatingPoint | None:
    """Return the threshold that answers most pictures (N,) while at most `max_error` (0..1) of the answers are wrong.

    The promise is for new pictures of the same kind: it is kept with a confidence of 95 %, although the threshold is
    chosen among many, and although the classifier may be the best of `choices` on the same pictures, such as epochs.
    None where these pictures cannot support it: 1 % takes 299 of them answered without a mistake after one epoch, and
    528 after ten.

    Source: fixed sequence testing of Angelopoulos et al., "Learn then test", 2021, https://arxiv.org/abs/2110.01052,
    with exact binomial tests. The thresholds that are tested are those that answer so many pictures that 0, 1, 2, ...
    mistakes are few enough; a sequence begins at 0, 1, 3, 7, ... mistakes and goes on until a test fails. The level of
    the tests is divided by the number of sequences and by `choices` (Bonferroni).
    """
    answered, wrong, thresholds = _count_answers(confidences, is_correct)
    plan = _plan_tests(len(confidences), max_error, choices)
    place = _find_last_passed(answered, wrong, plan)
    if place is None:
        return None
    errors, count = int(wrong[place]), int(answered[place])
    return OperatingPoint(
        threshold=float(thresholds[place]),
        coverage=count / len(confidences),
        error=errors / count,
        error_high=min(max_error, exact_upper_bound(errors, count, 1 - plan.level)),
        pictures=len(confidences),
    )


def find_smallest_error(confidences: NDArray[np.floating], is_correct: NDArray[np.bool_], *, choices: int = 1) -> float:
    """Return the smallest `max_error`, to a hundredth of a percent, for which there is a threshold; 1 where none is."""
    low, high = 0, _STEPS_OF_ERROR
    while high - low > 1:
        middle = (low + high) // 2
        point = choose_operating_point(confidences, is_correct, middle / _STEPS_OF_ERROR, choices=choices)
        low, high = (middle, high) if point is None else (low, middle)
    return high / _STEPS_OF_ERROR


class _TestPlan(NamedTuple):
    """How many mistakes (N + 1,) pass among 0..N answers, -1 where none do; the tests' level; and their places.

    `counts` are the numbers of answers at which tests are made, and `starts` the places in it where a sequence begins.
    """

    allowed: NDArray[np.int64]
    level: float
    counts: NDArray[np.int64]
    starts: tuple[int, ...]


def _plan_tests(pictures: int, max_error: float, choices: int) -> _TestPlan:
    """Plan the tests before any result is seen."""
    level = (1 - PROMISE_CONFIDENCE) / max(1, choices)
    sequences = max(1, int(_count_allowed(pictures, max_error, level).max() + 1).bit_length())
    allowed = _count_allowed(pictures, max_error, level / sequences)
    most = int(allowed.max())
    counts = np.unique(np.append(np.searchsorted(allowed, np.arange(most + 1)), pictures))
    starts = tuple(2**power - 1 for power in range(sequences) if 2**power - 1 <= most)
    return _TestPlan(allowed, level / sequences, counts, starts)


def _count_allowed(pictures: int, max_error: float, level: float) -> NDArray[np.int64]:
    """Return with how many mistakes (N + 1,) among 0..N answers a test excludes that the error is above the limit."""
    return np.asarray(binom.ppf(level, np.arange(pictures + 1), max_error) - 1, dtype=np.int64)


def _find_last_passed(answered: NDArray[np.int64], wrong: NDArray[np.int64], plan: _TestPlan) -> int | None:
    """Return the place of the threshold that answers most of those that a sequence of tests has reached."""
    # Equal confidences have one threshold: the first at which at least so many are answered.
    places = np.searchsorted(answered, plan.counts)
    passed = wrong[places] <= plan.allowed[answered[places]]
    reached = []
    for start in plan.starts:
        failures = np.flatnonzero(~passed[start:])
        end = start + failures[0] if len(failures) else len(passed)
        if end > start:
            reached.append(int(places[end - 1]))
    return max(reached, default=None)


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
