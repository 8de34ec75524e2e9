"""About how many more answers a labelling will take to its goal, by the errors of its heads so far."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from discern.evaluation.intervals import exact_interval, exact_upper_bound
from discern.labelling.promise import Looks

LEARNT_PER_KEPT = 2
"""How many pictures are asked to be learnt from for each one that is kept apart."""
_MIN_HEADS = 3
_MAX_POWER = 1.0


class Measured(NamedTuple):
    """A head that learnt from so many labels, on the answers kept apart: `right` of all, `wrong` of those `answered`.

    It answers as many pictures as the goal wants.
    """

    labels: int
    right: int
    answered: int
    wrong: int


def forecast_answers(
    measured: Sequence[Measured], looks: Looks, num_learnt: int, num_kept: int, max_learnt: int
) -> tuple[int, int] | None:
    """Return about how many more answers the goal will take: if all goes well, and if it does not.

    The share of wrong answers is taken to fall as a power of the number of labels, which is fitted to the heads so far;
    the ends are those of the 95 % interval of the last head's share. Where the goal is not reached at the upper end,
    that is the number of all answers that are left; None where it is not reached at the lower end, or heads are few.
    """
    if len(measured) < _MIN_HEADS or not measured[-1].answered:
        return None
    last = measured[-1]
    power = _fit_power(measured)
    share = exact_interval(last.wrong, last.answered)
    counts = (num_learnt, num_kept, max_learnt)
    low, high = (_count_answers(error, power, last, looks, counts) for error in (share.low, share.high))
    if low is None:
        return None
    left = max_learnt - num_learnt + looks.available - num_kept
    return low, left if high is None else max(low, high)


def _count_answers(
    error: float, power: float, last: Measured, looks: Looks, counts: tuple[int, int, int]
) -> int | None:
    """Return how many answers it is to the first look at which so many errors, that fall by a power, are few enough."""
    num_learnt, num_kept, max_learnt = counts
    for count in looks.counts:
        if count <= num_kept:
            continue
        learnt = min(max_learnt, num_learnt + LEARNT_PER_KEPT * (count - num_kept))
        expected = error * (learnt / max(1, last.labels)) ** -power
        answered = round(count * looks.goal.answered)
        if exact_upper_bound(round(expected * answered), answered, 1 - looks.error_level) <= looks.goal.wrong:
            return count - num_kept + learnt - num_learnt
    return None


def _fit_power(measured: Sequence[Measured]) -> float:
    """Fit errors = scale * labels ** -power by logarithms, with a power of 0 to 1; later heads count more."""
    labels = np.log([one.labels for one in measured])
    errors = np.log([(one.wrong + 0.5) / (one.answered + 1) for one in measured])
    slope = np.polyfit(labels, errors, 1, w=np.sqrt([one.labels for one in measured]))[0]
    return float(np.clip(-slope, 0, _MAX_POWER))
