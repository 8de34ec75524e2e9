"""The page of a comparison: accuracy and cost of every way of training, and which differences are shown."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from discern.evaluation.intervals import Interval
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
    """The results of a comparison; `best` names the best way, and those that are not shown to be worse."""

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


def _name_ends(name: str, interval: Interval | None) -> dict[str, float]:
    value, low, high = (math.nan, math.nan, math.nan) if interval is None else interval
    return {name: value, f"{name}_low": low, f"{name}_high": high}
