"""Ways of training side by side: what the runs of each variant achieved, and which variant is best."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.counts import count_of
from discern.evaluation.intervals import Interval
from discern.evaluation.seed_comparison import describe_difference, estimate_accuracy, estimate_mean

logger = logging.getLogger("discern")


class SeedRun(NamedTuple):
    """One training of a variant, with one seed.

    `peak_bytes` is its largest memory, None where the system does not report it; `error` is why it did not complete;
    `is_correct` (N,) is 1 for each picture that it classified correctly and 0 for the others, None if not complete.
    """

    seed: int
    seconds: float
    peak_bytes: int | None
    error: str | None
    is_correct: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class VariantOutcome:
    """A way of training, and its runs on the same N pictures in the same order."""

    name: str
    recipe: str
    overrides: tuple[str, ...]
    runs: tuple[SeedRun, ...]

    @property
    def complete(self) -> tuple[SeedRun, ...]:
        """The runs that completed."""
        return tuple(run for run in self.runs if run.is_correct is not None)

    @property
    def is_correct(self) -> NDArray[np.float64]:
        """Whether each picture was classified correctly (S, N), one row per complete run."""
        return np.array([run.is_correct for run in self.complete], dtype=np.float64)

    @property
    def accuracy(self) -> Interval | None:
        """The accuracy over seeds and pictures; None where no run completed."""
        return estimate_accuracy(self.is_correct) if self.complete else None

    @property
    def seconds(self) -> float | None:
        """The median duration of a run; None where none completed."""
        return median(run.seconds for run in self.complete) if self.complete else None

    @property
    def peak_bytes(self) -> int | None:
        """The largest memory of a run; None where the system does not report it."""
        return max((run.peak_bytes for run in self.complete if run.peak_bytes is not None), default=None)

    def subtract(self, other: "VariantOutcome") -> Interval | None:
        """Return the accuracy of this variant minus that of the other, on common seeds; None where there are none."""
        own, others = ({run.seed: run.is_correct for run in outcome.complete} for outcome in (self, other))
        common = sorted(own.keys() & others.keys())
        if not common:
            return None
        ours, theirs = (np.array([by_seed[seed] for seed in common], dtype=np.float64) for by_seed in (own, others))
        return estimate_mean(ours - theirs)


def tabulate_outcomes(outcomes: Sequence[VariantOutcome]) -> pd.DataFrame:
    """Return one row per variant: its accuracy, its difference from the variant before, and what a run takes."""
    pictures = count_pictures(outcomes)
    rows = []
    for place, outcome in enumerate(outcomes):
        other = outcomes[place - 1] if place else None
        rows.append(
            {
                "name": outcome.name,
                "recipe": outcome.recipe,
                "overrides": " ".join(outcome.overrides),
                "runs": len(outcome.complete),
                "failed": len(outcome.runs) - len(outcome.complete),
                "pictures": pictures,
                **_spread("accuracy", outcome.accuracy),
                "compared_with": "" if other is None else other.name,
                **_spread("difference", None if other is None else outcome.subtract(other)),
                "seconds": np.nan if outcome.seconds is None else outcome.seconds,
                "peak_gigabytes": np.nan if outcome.peak_bytes is None else outcome.peak_bytes / 1e9,
            }
        )
    return pd.DataFrame(rows)


def count_pictures(outcomes: Sequence[VariantOutcome]) -> int:
    """Return the number of pictures that all variants were compared on."""
    return max(int(outcome.is_correct.shape[-1]) for outcome in outcomes)


def choose_best(outcomes: Sequence[VariantOutcome]) -> VariantOutcome:
    """Return the variant with the highest accuracy, the first of equal ones."""
    return max((one for one in outcomes if one.complete), key=lambda one: float(one.is_correct.mean()))


def describe_best(outcomes: Sequence[VariantOutcome]) -> str:
    """Return a sentence that names the variant with the highest accuracy, and those not significantly worse.

    Each is compared with the best, which was found by comparing, so that those close to it may well be as good.
    """
    complete = [outcome for outcome in outcomes if outcome.complete]
    best = choose_best(complete)
    equal = [one.name for one in complete if one is not best and one.is_correct.mean() == best.is_correct.mean()]
    rivals = []
    for outcome in complete:
        difference = outcome.subtract(best)
        if outcome is not best and (difference is None or difference.high >= 0):
            rivals.append(outcome.name)
    if rivals:
        others = f"not distinguishable from it: {', '.join(rivals)}"
    else:
        others = "all others are worse" if len(complete) > 1 else "no other completed"
    first = f"equally high: {', '.join([best.name, *equal])}" if equal else f"highest: {best.name}"
    return f"{first}; {others}"


def describe_choice(outcomes: Sequence[VariantOutcome], split: str, tested: VariantOutcome | None) -> str:
    """Return which variant is best and by which pictures; then, if it was tested, its accuracy on the test pictures."""
    text = f"{describe_best(outcomes)} (on {split} pictures"
    if split == "validation":
        text += ", which also chose the epoch of every run: compare ways by these scores, but expect less"
    text += ")"
    if tested is None or tested.accuracy is None:
        return text
    value, low, high = (100 * end for end in tested.accuracy)
    pictures = count_of(tested.is_correct.shape[-1], "test picture")
    return f"{text}. On {pictures}, used for {tested.name} alone: {value:.1f} % [{low:.1f}, {high:.1f}]"


def log_outcomes(outcomes: Sequence[VariantOutcome], choice: str) -> None:
    """Log the accuracy of each variant, whether it is better than the one before, and the choice."""
    for place, outcome in enumerate(outcomes):
        accuracy = outcome.accuracy
        if accuracy is None:
            logger.warning("%s: no run completed: %s", outcome.name, outcome.runs[0].error)
            continue
        logger.info(
            "%s: accuracy %.1f %% [%.1f, %.1f] over %s and %s, %.0f s a run",
            outcome.name,
            *(100 * end for end in accuracy),
            *map(count_of, outcome.is_correct.shape, ("seed", "picture")),
            outcome.seconds,
        )
        difference = outcome.subtract(outcomes[place - 1]) if place else None
        if difference is not None:
            logger.info("  %s", describe_difference(outcome.name, outcomes[place - 1].name, difference))
    logger.info("%s", choice)


def _spread(name: str, interval: Interval | None) -> dict[str, float]:
    ends = (np.nan, np.nan, np.nan) if interval is None else interval
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))
