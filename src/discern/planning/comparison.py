"""Chooses among starts by the loss of their linear probes, by what they cost, and by the time there is."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from discern.engine.head_solver import ProbeScore
from discern.evaluation.intervals import exact_interval
from discern.percent import percent
from discern.planning.plan import CandidatePlan

_SAVING = 0.8
"""A network is cheaper than another if it takes less than this share of its time; smaller differences are chance."""


class Scored(NamedTuple):
    """A start with its probe: seconds of the network for one picture, and an estimate of those of the training."""

    name: str
    score: ProbeScore
    forward_seconds: float
    training_seconds: float

    def describe(self) -> str:
        """Return it as text for people."""
        milliseconds = 1000 * self.forward_seconds
        cost = f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"
        return f"{self.name} {self.score.loss:.3f} ({percent(self.score.accuracy)} correct, {cost} a picture)"


class Choice(NamedTuple):
    """The place of the start that was chosen, and why it is not the one with the lowest loss; empty if it is."""

    place: int
    remark: str


def choose_scored(scored: Sequence[Scored], left_seconds: float | None = None) -> Choice:
    """Choose the lowest loss among those whose training fits into the time, or a cheaper one that is as good.

    As good is a loss within one standard error of the paired difference; cheaper is less than 0.8 of the time for a
    picture. If no training fits, the cheapest is chosen, whose training the budget shortens the least.

    Args:
        scored: In the order of preference where all else is equal.
        left_seconds: What is left of the time budget, if there is one.
    """
    losses = [one.score.loss for one in scored]
    lowest = losses.index(min(losses))
    fitting = [
        place for place, one in enumerate(scored) if left_seconds is None or one.training_seconds <= left_seconds
    ]
    if not fitting:
        return Choice(
            _find_cheapest(scored, range(len(scored))),
            f"no training fits into the {left_seconds:.0f} s that are left, and this one takes the least time",
        )
    best = min(fitting, key=losses.__getitem__)
    cheapest = _find_cheapest(scored, [place for place in fitting if _is_as_good(scored[place], scored[best])])
    saves = scored[cheapest].forward_seconds < _SAVING * scored[best].forward_seconds
    remarks = []
    if best != lowest:
        remarks.append(
            f"training {scored[lowest].name} would take about {scored[lowest].training_seconds:.0f} s, and "
            f"{left_seconds:.0f} s are left"
        )
    if saves:
        remarks.append(f"{scored[best].name} is better by less than one standard error, and takes longer")
    return Choice(cheapest if saves else best, "; ".join(remarks))


def describe_scored(scored: Sequence[Scored], choice: Choice) -> str:
    """Return what was chosen, by which evidence, as text for people."""
    count = len(scored[0].score.losses)
    reason = f"{scored[choice.place].name}, by the loss of a linear probe on {count} pictures, cross-validated: "
    reason += ", ".join(one.describe() for one in scored)
    return f"{reason}; {choice.remark}" if choice.remark else reason


def build_candidates(scored: Sequence[Scored], chosen: int) -> tuple[CandidatePlan, ...]:
    """Return what the plan keeps of the comparison."""
    return tuple(
        CandidatePlan(
            name=one.name,
            loss=one.score.loss,
            accuracy=exact_interval(int(one.score.is_correct.sum()), len(one.score.is_correct)),
            forward_milliseconds=1000 * one.forward_seconds,
            training_seconds=one.training_seconds,
            is_chosen=place == chosen,
        )
        for place, one in enumerate(scored)
    )


def _is_as_good(one: Scored, best: Scored) -> bool:
    """Return whether a loss is within one standard error of the paired difference to the best."""
    differences = one.score.losses - best.score.losses
    error = float(np.std(differences, ddof=1)) / sqrt(len(differences))
    return float(differences.mean()) <= error


def _find_cheapest(scored: Sequence[Scored], places: Sequence[int]) -> int:
    return min(places, key=lambda place: (scored[place].forward_seconds, scored[place].score.loss))
