"""Writes the page of a comparison from what its runs gave."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from discern.evaluation.seed_comparison import describe_difference
from discern.files import write_atomically
from discern.reports.comparison_page import ComparedRun, ComparedWay, ComparisonFacts, build_comparison_page

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
        seconds=outcome.seconds,
        peak_bytes=outcome.peak_bytes,
    )


def _list_runs(outcome: "VariantOutcome") -> list[ComparedRun]:
    accuracies = dict(zip(outcome.seeds, outcome.is_right.mean(axis=1).tolist(), strict=True))
    return [
        ComparedRun(outcome.variant.name, seed, accuracies.get(seed), run.seconds, run.error)
        for seed, run in enumerate(outcome.runs)
    ]
