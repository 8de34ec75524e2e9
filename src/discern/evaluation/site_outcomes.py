"""What a classifier achieves at sites that it has not seen, beside what a random split promises."""

import logging
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from discern.counts import count_of
from discern.errors import name_some
from discern.evaluation.intervals import Interval
from discern.percent import percent

logger = logging.getLogger("discern")

_WIDE = 0.3
"""An interval as wide as this says little about a site."""

Standing = Literal["below", "above", "not distinguishable", "not measured"]


class Promise(NamedTuple):
    """The accuracy of a run on a random split, in which pictures of each site are trained on, and the test pictures."""

    accuracy: Interval
    pictures: int


class SiteOutcome(NamedTuple):
    """A site that was left out of training.

    `accuracy` is that on its `pictures`, None where the run did not complete, with the reason in `error`. `seen` is the
    accuracy of the random split on its test pictures of this site, `seen_pictures`; None where it has none.
    `missing_classes` are at no other site, so that their `left_out` pictures are not counted; `copies` is the number of
    its pictures that another site has as well.
    """

    name: str
    pictures: int
    trained: int
    accuracy: Interval | None
    seen: Interval | None
    seen_pictures: int
    missing_classes: tuple[str, ...] = ()
    left_out: int = 0
    copies: int = 0
    seconds: float = 0.0
    error: str | None = None

    @property
    def is_wide(self) -> bool:
        """Whether the interval is so wide that it says little."""
        return self.accuracy is not None and self.accuracy.high - self.accuracy.low >= _WIDE

    def compare(self, promise: Promise) -> Standing:
        """Return on which side of the promise its accuracy is, where the intervals do not overlap."""
        if self.accuracy is None:
            return "not measured"
        if self.accuracy.high < promise.accuracy.low:
            return "below"
        return "above" if self.accuracy.low > promise.accuracy.high else "not distinguishable"


def sort_sites(outcomes: Sequence[SiteOutcome]) -> list[SiteOutcome]:
    """Return the sites with the lowest accuracy first, and those without any last."""
    return sorted(outcomes, key=lambda one: (one.accuracy is None, one.accuracy.value if one.accuracy else 0.0))


def tabulate_sites(outcomes: Sequence[SiteOutcome], promise: Promise) -> pd.DataFrame:
    """Return the rows of sites.csv, in the order given."""
    return pd.DataFrame(
        {
            "site": one.name,
            "pictures": one.pictures,
            **_spread("accuracy", one.accuracy),
            **_spread("promise", promise.accuracy),
            "drop": np.nan if one.accuracy is None else promise.accuracy.value - one.accuracy.value,
            "standing": one.compare(promise),
            **_spread("seen", one.seen),
            "seen_pictures": one.seen_pictures,
            "trained": one.trained,
            "missing_classes": "|".join(one.missing_classes),
            "left_out": one.left_out,
            "copies": one.copies,
            "seconds": one.seconds,
            "error": one.error or "",
        }
        for one in outcomes
    )


def describe_promise(promise: Promise, column: str) -> str:
    """Return what a random split says."""
    return (
        f"the promise of a random split, with each {column} in training: accuracy "
        f"{_describe(promise.accuracy)}, {count_of(promise.pictures, 'test picture')}"
    )


def describe_sites(outcomes: Sequence[SiteOutcome], promise: Promise, column: str) -> str:
    """Return what holds at a site that training has not seen."""
    measured = [(one.accuracy, one) for one in sort_sites(outcomes) if one.accuracy is not None]
    values = [accuracy.value for accuracy, _ in measured]
    below = [one.name for _, one in measured if one.compare(promise) == "below"]
    worst, best = measured[0][1].name, measured[-1][1].name
    verdict = f"below the promise: {name_some(below)}" if below else "none is shown to be below the promise"
    return (
        f"at a {column} that training has not seen: accuracy {percent(float(np.mean(values)))} on average over "
        f"{len(values)}, from {percent(values[0])} ({worst}) to {percent(values[-1])} ({best}); {verdict}"
    )


def describe_site(outcome: SiteOutcome, promise: Promise) -> str:
    """Return one line about a site."""
    if outcome.accuracy is None:
        return f"{outcome.name}: not measured: {outcome.error}"
    parts = [
        f"{outcome.name}: accuracy {_describe(outcome.accuracy)}, {count_of(outcome.pictures, 'picture')}",
        f"{100 * (outcome.accuracy.value - promise.accuracy.value):+.1f} points, {outcome.compare(promise)}",
        *describe_cautions(outcome),
    ]
    return "; ".join(parts)


def describe_cautions(outcome: SiteOutcome) -> list[str]:
    """Return what limits the number of a site."""
    cautions = []
    if outcome.missing_classes:
        left_out = count_of(outcome.left_out, "picture")
        cautions.append(
            f"{left_out} left out, of classes that no other site has: {name_some(outcome.missing_classes, shown=3)}"
        )
    if outcome.copies:
        cautions.append(f"{count_of(outcome.copies, 'picture')} also at another site, which flatters it")
    if outcome.is_wide:
        cautions.append("few pictures: the interval says little")
    return cautions


def log_sites(outcomes: Sequence[SiteOutcome], promise: Promise, column: str) -> None:
    """Log the promise, each site, the worst first, and what follows."""
    logger.info("%s", describe_promise(promise, column))
    for one in outcomes:
        logger.log(logging.INFO if one.error is None else logging.WARNING, "%s", describe_site(one, promise))
    logger.info("%s", describe_sites(outcomes, promise, column))


def _describe(accuracy: Interval) -> str:
    return f"{percent(accuracy.value)} (95 % interval {percent(accuracy.low)} to {percent(accuracy.high)})"


def _spread(name: str, interval: Interval | None) -> dict[str, float]:
    ends = (np.nan, np.nan, np.nan) if interval is None else interval
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
