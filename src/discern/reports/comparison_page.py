"""The page of a comparison: which way of training gives how much, what it takes, and whether that can be told."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from discern.evaluation.intervals import Interval
from discern.reports.charts import Chart, Margins, build_axis
from discern.reports.pages import render_page
from discern.reports.wording import shorten

_ROW_HEIGHT = 34
_NAME_LETTERS = 24
_ROOM = 0.02


class ComparedRun(NamedTuple):
    """One training; `error` is what ended it where it did not complete."""

    way: str
    seed: int
    accuracy: float | None
    seconds: float
    error: str | None


class ComparedWay(NamedTuple):
    """A way of training with its accuracy over seeds and pictures, and how far it is above the way before.

    `verdict` puts the difference into words; seconds are those of a usual run.
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
    """What a comparison found; `best` says in words which way is the best, and which cannot be told from it."""

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
            "chart": _draw_accuracies([way for way in facts.ways if way.accuracy is not None]),
            "failed": [run for run in facts.runs if run.error is not None],
        },
    )


def _draw_accuracies(ways: Sequence[ComparedWay]) -> Markup | None:
    """Draw accuracies with their intervals, a row a way, on an axis as long as they need."""
    intervals = [way.accuracy for way in ways if way.accuracy is not None]
    if not intervals:
        return None
    low, high = min(one.low for one in intervals), max(one.high for one in intervals)
    chart = Chart(
        "accuracies",
        "Accuracy of every way, with its 95 % interval",
        "; ".join(f"{way.name}: {100 * one.value:.1f} %" for way, one in zip(ways, intervals, strict=True)),
        build_axis("accuracy (%)", max(0.0, low - _ROOM), min(1.0, high + _ROOM), percent=True),
        build_axis("", len(ways) - 0.5, -0.5)._replace(ticks=()),
        height=_ROW_HEIGHT * len(ways) + 56,
        margins=Margins(left=14),
    )
    for row, (way, one) in enumerate(zip(ways, intervals, strict=True)):
        chart.add_line([(max(one.low, 0.0), row), (min(one.high, 1.0), row)], "train")
        chart.add_marks([(one.value, row)], "train")
        chart.add_text(one.value, row, shorten(way.name, _NAME_LETTERS), anchor="middle", up=9)
    return chart.to_markup()
