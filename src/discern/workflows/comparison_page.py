"""Writes the page of a comparison from what its runs gave."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from discern.evaluation.seed_comparison import describe_difference
from discern.files import write_atomically
from discern.reports.comparison_page import ComparedRun, ComparedWay, ComparisonFacts, build_comparison_page
from discern.workflows.child_run import ChildRun

if TYPE_CHECKING:
    from discern.workflows.compare import VariantOutcome


def write_comparison_page(outcomes: Sequence["VariantOutcome"], best: str, source: str, page: Path) -> None:
    """Write comparison.html; `best` says in words which way is the best."""
    ways = [_describe(outcome, outcomes[place - 1] if place else None) for place, outcome in enumerate(outcomes)]
    facts = ComparisonFacts(
        source=source,
        pictures=outcomes[0].is_right.shape[1],
        seeds=max(len(outcome.runs) for outcome in outcomes),
        ways=tuple(ways),
        runs=tuple(run for outcome in outcomes for run in _list_runs(outcome)),
        best=best,
    )
    write_atomically(page, build_comparison_page(facts))


def _describe(outcome: "VariantOutcome", other: "VariantOutcome | None") -> ComparedWay:
    complete = [run for run in outcome.runs if run.error is None]
    difference = None if other is None else outcome.subtract(other)
    verdict = ""
    if other is not None and difference is not None:
        verdict = describe_difference(outcome.variant.name, other.variant.name, difference)
    return ComparedWay(
        name=outcome.variant.name,
        recipe=outcome.variant.recipe,
        overrides=" ".join(outcome.variant.overrides),
        accuracy=outcome.accuracy,
        difference=difference,
        verdict=verdict,
        seconds=median(run.seconds for run in complete) if complete else None,
        peak_bytes=max((run.peak_bytes for run in complete if run.peak_bytes is not None), default=None),
        failed=len(outcome.runs) - len(complete),
    )


def _list_runs(outcome: "VariantOutcome") -> list[ComparedRun]:
    accuracies = dict(zip(outcome.seeds, outcome.is_right.mean(axis=1).tolist(), strict=True))
    return [_show(outcome.variant.name, seed, run, accuracies.get(seed)) for seed, run in enumerate(outcome.runs)]


def _show(way: str, seed: int, run: ChildRun, accuracy: float | None) -> ComparedRun:
    return ComparedRun(way, seed, accuracy, run.seconds, run.peak_bytes, run.error)
