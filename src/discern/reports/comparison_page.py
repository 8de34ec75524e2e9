"""The page of a comparison: accuracy and cost of every way of training, and which differences are shown."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from discern.evaluation.intervals import Interval
from discern.evaluation.seed_comparison import describe_difference
from discern.evaluation.variant_outcomes import VariantOutcome, count_pictures
from discern.files import write_atomically
from discern.plots.ladder import plot_ladder
from discern.reports.pages import render_page
from discern.reports.svg import figure_to_svg
from discern.reports.wording import percent


class ComparedRun(NamedTuple):
    """One training run; `error` is the reason why it did not complete."""

    way: str
    seed: int
    accuracy: float | None
    seconds: float
    error: str | None


class ComparedWay(NamedTuple):
    """A way of training: its accuracy over seeds and pictures, and the difference to the way before it.

    `verdict` says the difference in a sentence; `seconds` is the median of its runs.
    """

    name: str
    recipe: str
    overrides: str
    accuracy: Interval | None
    difference: Interval | None
    verdict: str
    seconds: float | None
    peak_bytes: int | None


class ComparisonFacts(NamedTuple):
    """The results of a comparison; `best` names the best way, those that are not shown to be worse, and its test."""

    source: str
    pictures: int
    seeds: int
    ways: tuple[ComparedWay, ...]
    runs: tuple[ComparedRun, ...]
    best: str


def build_comparison_page(facts: ComparisonFacts) -> str:
    """Return the HTML of a comparison."""
    return render_page(
        "comparison.html.jinja",
        {
            "facts": facts,
            "ladder": _draw_ladder(facts.ways),
            "failed": [run for run in facts.runs if run.error is not None],
        },
    )


def _draw_ladder(ways: Sequence[ComparedWay]) -> Markup | None:
    """Draw accuracy, gain and time of every way; None where no run completed."""
    if not any(way.accuracy is not None for way in ways):
        return None
    rows = [
        {
            "name": way.name,
            **_name_ends("accuracy", way.accuracy),
            **_name_ends("difference", way.difference),
            "seconds": math.nan if way.seconds is None else way.seconds,
        }
        for way in ways
    ]
    return figure_to_svg(
        plot_ladder(pd.DataFrame(rows)),
        title="Accuracy of every way of training, its gain over the row above, and its time",
        description="; ".join(f"{way.name}: {percent(way.accuracy.value)}" for way in ways if way.accuracy is not None),
    )


def write_comparison_page(outcomes: Sequence[VariantOutcome], source: str, choice: str, page: Path) -> None:
    """Write comparison.html; `source` is where the pictures came from, `choice` says which way is best."""
    ways = [_describe_way(outcome, outcomes[place - 1] if place else None) for place, outcome in enumerate(outcomes)]
    facts = ComparisonFacts(
        source=source,
        pictures=count_pictures(outcomes),
        seeds=max(len(outcome.runs) for outcome in outcomes),
        ways=tuple(ways),
        runs=tuple(run for outcome in outcomes for run in _list_runs(outcome)),
        best=choice,
    )
    write_atomically(page, build_comparison_page(facts))


def _describe_way(outcome: VariantOutcome, other: VariantOutcome | None) -> ComparedWay:
    difference = None if other is None else outcome.subtract(other)
    verdict = ""
    if other is not None and difference is not None:
        verdict = describe_difference(outcome.name, other.name, difference)
    return ComparedWay(
        name=outcome.name,
        recipe=outcome.recipe,
        overrides=" ".join(outcome.overrides),
        accuracy=outcome.accuracy,
        difference=difference,
        verdict=verdict,
        seconds=outcome.seconds,
        peak_bytes=outcome.peak_bytes,
    )


def _list_runs(outcome: VariantOutcome) -> list[ComparedRun]:
    return [
        ComparedRun(
            way=outcome.name,
            seed=run.seed,
            accuracy=None if run.is_correct is None else float(run.is_correct.mean()),
            seconds=run.seconds,
            error=run.error,
        )
        for run in outcome.runs
    ]


def _name_ends(name: str, interval: Interval | None) -> dict[str, float]:
    value, low, high = (math.nan, math.nan, math.nan) if interval is None else interval
    return {name: value, f"{name}_low": low, f"{name}_high": high}
