"""What may be promised of a head, from answers about pictures that were drawn at random and not learnt from.

The promise is for new pictures like these: at least a share `a` of them is answered, and at most a share `w` of the
answers is wrong. It is tested a few times while labelling goes on, each time for the head of that moment, at numbers
of answers that are fixed before the first. docs/explanation/labelling.md says why it holds.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import binom  # type: ignore[attr-defined]

from discern.evaluation.coverage import PROMISE_CONFIDENCE, choose_operating_point, compute_coverage
from discern.evaluation.intervals import Interval, exact_interval, exact_upper_bound
from discern.labelling.goal import Goal

_SHARE_LEVEL = 0.01
"""How often the share that is answered may be below the goal, over all looks."""
_ERROR_LEVEL = 1 - PROMISE_CONFIDENCE - _SHARE_LEVEL
"""How often the share of wrong answers may be above the goal, over all looks."""
_RATIO = 1.4
"""By how much the answers grow from one look to the next."""
_MIN_PICTURES = 10

Confidences = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Promise(NamedTuple):
    """What the answers kept apart say of the head of one moment, and of new pictures like these.

    Of `pictures` answers, `answered` is the share of new pictures that could be answered with no more wrong answers
    than the goal allows, with a 95 % interval. `error` is the share of wrong ones if as many are answered as the goal
    wants, whose answers take a confidence above `threshold`. These hold for one look at one moment. `error_high` is
    what `error` was at most at the last planned look, with 95 % confidence over all of them (1 before the first), and
    `is_kept` says that the goal was shown to hold there.
    """

    pictures: int
    threshold: float
    answered: Interval
    error: Interval | None
    error_high: float
    is_kept: bool


@dataclass(frozen=True)
class Looks:
    """The planned looks: after so many answers about pictures kept apart, of which there are `available`."""

    counts: tuple[int, ...]
    available: int
    goal: Goal

    @property
    def error_level(self) -> float:
        """How often one look may promise too few wrong answers."""
        return _ERROR_LEVEL / max(1, len(self.counts))

    @property
    def min_needed(self) -> int:
        """How many answers about pictures kept apart it takes at least to show the goal, all of them right."""
        return _count_first(self.goal, _ERROR_LEVEL)

    @property
    def best_goal(self) -> Goal:
        """The goal with the fewest wrong answers, in whole percent, that so many pictures can show, all answered right.

        It answers the wished share.
        """
        wrong = 1 - _ERROR_LEVEL ** (1 / max(1, self.available) / self.goal.answered)
        return self.goal._replace(wrong=float(np.ceil(100 * wrong)) / 100)

    def count_until_next(self, count: int) -> int | None:
        """Return how many more answers about pictures kept apart it is to the next look; None after the last."""
        return min((look - count for look in self.counts if look > count), default=None)

    def choose_threshold(self, confidences: Confidences) -> float:
        """Return the confidence above which an answer is given, from those of all pictures kept apart (A,).

        It is so low that at least the wished share of new pictures is answered, whatever their labels are: the number
        of pictures above it is an order statistic, whose share among new pictures is exactly known.
        """
        level = _SHARE_LEVEL / max(1, len(self.counts))
        rank = int(binom.isf(level, len(confidences), self.goal.answered)) + 1
        if rank >= len(confidences):
            return -np.inf
        return float(np.sort(confidences)[len(confidences) - 1 - rank])

    def bound_error(self, is_answered: Flags, is_right: Flags) -> float:
        """Return what the share of wrong answers is at most at a look, from the answers so far (N,) in their order."""
        count = int(is_answered.sum())
        wrong = int((is_answered & ~is_right).sum())
        return exact_upper_bound(wrong, count, 1 - self.error_level) if count else 1.0


def plan_looks(available: int, goal: Goal) -> Looks:
    """Plan the looks at up to so many answers: from the first that could show the goal on, each 1.4 times later."""
    for number in range(1, 100):
        first = _count_first(goal, _ERROR_LEVEL / number)
        counts = tuple(dict.fromkeys(round(first * _RATIO**power) for power in range(number)))
        if counts[-1] * _RATIO > available:
            break
    return Looks(tuple(count for count in counts if count <= available), available, goal)


def state_promise(
    looks: Looks, confidences: Confidences, places: npt.NDArray[np.int64], is_right: Flags, error_high: float
) -> Promise | None:
    """Return what the head of this moment could do; None where too little is known.

    Args:
        looks: The planned looks.
        confidences: Of the head's answers for all pictures kept apart (A,).
        places: Those of them (N,) that a person has answered, in the order of the answers.
        is_right: Whether the head's answers for these are right (N,).
        error_high: The bound of the last planned look.
    """
    if len(places) < _MIN_PICTURES:
        return None
    threshold = looks.choose_threshold(confidences)
    is_answered = confidences[places] > threshold
    count, wrong = int(is_answered.sum()), int((is_answered & ~is_right).sum())
    return Promise(
        len(places),
        max(0.0, threshold),
        _estimate_share(confidences[places], is_right, looks.goal.wrong),
        exact_interval(wrong, count) if count else None,
        error_high,
        error_high <= looks.goal.wrong,
    )


def _estimate_share(confidences: Confidences, is_right: Flags, max_error: float) -> Interval:
    """Return the share of pictures that can be answered with so few wrong: as it looks, as proven, and as possible."""
    curve = compute_coverage(confidences, is_right)
    lows = [
        exact_interval(round(error * share * len(is_right)), round(share * len(is_right))).low
        for error, share in zip(curve["error"], curve["coverage"], strict=True)
    ]
    seen = float(curve["coverage"][curve["error"] <= max_error].max()) if (curve["error"] <= max_error).any() else 0.0
    possible = float(curve["coverage"][np.array(lows) <= max_error].max()) if min(lows) <= max_error else 0.0
    point = choose_operating_point(confidences, is_right, max_error)
    proven = 0.0 if point is None else exact_interval(round(point.coverage * len(is_right)), len(is_right)).low
    high = exact_interval(round(possible * len(is_right)), len(is_right)).high
    return Interval(seen, min(proven, seen), high)


def _count_first(goal: Goal, level: float) -> int:
    """Return how many answers, of which the wished share is given and all are right, could show the goal."""
    return int(np.ceil(np.log(level) / np.log1p(-goal.wrong) / goal.answered))
