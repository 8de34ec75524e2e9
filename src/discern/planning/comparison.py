"""Chooses among starts by the loss of their linear probes, by what they cost, and by the time there is."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np

from discern.engine.head_solver import ProbeScore
from discern.evaluation.intervals import exact_interval
from discern.percent import percent
from discern.planning.plan import CandidatePlan
from discern.planning.speed import StartCost


class Scored(NamedTuple):
    """A start with its probe, what a picture costs, and an estimate of the seconds of the training."""

    name: str
    score: ProbeScore
    cost: StartCost
    training_seconds: float

    def describe(self) -> str:
        """Return it as text for people."""
        milliseconds = 1000 * self.cost.forward_seconds
        cost = f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms"
        return f"{self.name} {self.score.loss:.3f} ({percent(self.score.accuracy)} correct, {cost} a picture)"


class Choice(NamedTuple):
    """The place of the start that was chosen, and why it is not the one with the lowest loss; empty if it is."""

    place: int
    remark: str


def choose_scored(scored: Sequence[Scored], left_seconds: float | None = None) -> Choice:
    """Choose the lowest loss among those whose training fits into the time, or a cheaper one that is as good.

    As good is a loss within one standard error of the paired difference; cheaper is fewer multiply-adds, which another
    measurement would not change. If no training fits, the one that takes the least time is chosen.

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
        shortest = min(range(len(scored)), key=lambda place: (scored[place].training_seconds, losses[place]))
        return Choice(
            shortest, f"no training fits into the {left_seconds:.0f} s that are left, and this one takes the least time"
        )
    best = min(fitting, key=losses.__getitem__)
    as_good = [place for place in fitting if _is_as_good(scored[place], scored[best])]
    chosen = min(as_good, key=lambda place: (scored[place].cost.multiply_adds, losses[place]))
    remarks = []
    if best != lowest:
        remarks.append(
            f"training {scored[lowest].name} would take about {scored[lowest].training_seconds:.0f} s, and "
            f"{left_seconds:.0f} s are left"
        )
    if chosen != best:
        share = scored[best].cost.multiply_adds / scored[chosen].cost.multiply_adds
        remarks.append(
            f"{scored[best].name} is better by less than one standard error, and needs {share:.1f} times the operations"
        )
    return Choice(chosen, "; ".join(remarks))


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
            multiply_adds=one.cost.multiply_adds,
            forward_milliseconds=1000 * one.cost.forward_seconds,
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
