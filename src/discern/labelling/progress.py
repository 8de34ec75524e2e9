"""How far a labelling is: what is answered, what may be promised of it, and how much is still to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from discern.evaluation.intervals import Interval
from discern.labelling.goal import Goal
from discern.labelling.promise import Promise
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


@dataclass(frozen=True)
class Progress:
    """A labelling at one moment.

    `pictures` are all different ones (duplicates count once), `answered` those with a label or a reason for none,
    `counts` the labels of each class, and `reasons` the pictures without one. `kept_apart` of the answers were drawn
    at random, from which alone `promise` and `curve` come. `forecast` is about how many more answers the goal will
    take, None where that cannot be said. `history` are the last answers, the latest first. `is_in_reach` is
    false where so few pictures are kept apart that no answers about them can show the goal. `next_look` is after how
    many more answers about pictures kept apart the goal is tested next, None if it is tested no more.
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
    is_in_reach: bool = True
    next_look: int | None = None
