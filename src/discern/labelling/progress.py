"""How far a labelling is: what is answered, what may be promised of it, and how much is still to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from discern.evaluation.intervals import Interval
from discern.labelling.goal import Goal
from discern.labelling.question import Reason


class PastAnswer(NamedTuple):
    """An earlier answer: the key of the picture, and its label or, where that is "", the reason why it has none."""

    key: str
    label: str
    reason: Reason | None
    time: str


class CurvePoint(NamedTuple):
    """The head after so many `labels` to learn from: the share of pictures kept apart that it answered rightly."""

    labels: int
    accuracy: Interval


class Promise(NamedTuple):
    """What the answers kept apart say of the head of one moment, and of new pictures like these.

    `answered` is the share of all pictures that would be answered and `error` the share of wrong ones among them, each
    with its 95 % interval. `error_high` is what `error` is at most; `is_kept` says that both parts of the goal hold.
    These two are held to a confidence of 95 % over all the times that somebody looks.
    """

    pictures: int
    threshold: float
    answered: Interval
    error: Interval | None
    error_high: float
    is_kept: bool


@dataclass(frozen=True)
class Progress:
    """A labelling at one moment.

    `pictures` are all different ones (duplicates count once), `answered` those with a label or a reason for none,
    `counts` the labels of each class, and `reasons` the pictures without one. `kept_apart` of the answers were drawn
    at random, from which alone `promise` and `curve` come. `forecast` is about how many more answers the goal will
    take, None where that cannot be said. `history` are the last answers, the latest first.
    """

    pictures: int
    answered: int
    counts: Mapping[str, int]
    reasons: Mapping[Reason, int]
    kept_apart: int
    goal: Goal
    promise: Promise | None
    goal_reached: bool
    forecast: tuple[int, int] | None
    curve: Sequence[CurvePoint]
    is_solving: bool
    history: Sequence[PastAnswer]
