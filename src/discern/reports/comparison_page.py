"""The page of a comparison: how accurate each way of training is, what it takes, and which differences are real."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from discern.evaluation.intervals import Interval
from discern.evaluation.seed_comparison import describe_difference
from discern.evaluation.variant_outcomes import VariantOutcome, count_pictures, describe_best
from discern.files import write_atomically
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
    """A way of training with its accuracy over seeds and pictures, and its difference from the way before.

    `verdict` is a sentence about the difference; `seconds` is the median of a run.
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
    """What a comparison found; `best` is a sentence that names the best way, and those not distinguishable from it."""

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


def write_comparison_page(outcomes: Sequence[VariantOutcome], source: str, page: Path) -> None:
    """Write comparison.html; `source` is where the pictures came from."""
    ways = [_describe_way(outcome, outcomes[place - 1] if place else None) for place, outcome in enumerate(outcomes)]
    facts = ComparisonFacts(
        source=source,
        pictures=count_pictures(outcomes),
        seeds=max(len(outcome.runs) for outcome in outcomes),
        ways=tuple(ways),
        runs=tuple(run for outcome in outcomes for run in _list_runs(outcome)),
        best=describe_best(outcomes),
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
