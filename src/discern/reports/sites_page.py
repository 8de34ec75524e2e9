"""The page of a comparison of sites: what holds at each one that was left out, beside what a random split promises."""

from collections.abc import Sequence
from pathlib import Path

from discern.evaluation.site_outcomes import (
    Promise,
    SiteOutcome,
    describe_cautions,
    describe_promise,
    describe_sites,
    tabulate_sites,
)
from discern.files import write_atomically
from discern.plots.sites import plot_sites
from discern.reports.pages import render_page
from discern.reports.svg import figure_to_svg
from discern.reports.wording import percent


def build_sites_page(outcomes: Sequence[SiteOutcome], promise: Promise, source: str, column: str) -> str:
    """Return the HTML of a comparison of sites, in the order given."""
    measured = [one for one in outcomes if one.accuracy is not None]
    figure = figure_to_svg(
        plot_sites(tabulate_sites(outcomes, promise)),
        title=f"Accuracy at each {column} that was left out, beside the promise of a random split",
        description="; ".join(f"{one.name}: {percent(one.accuracy.value)}" for one in measured if one.accuracy),
    )
    return render_page(
        "sites.html.jinja",
        {
            "outcomes": [(one, one.compare(promise), describe_cautions(one)) for one in outcomes],
            "promise": promise,
            "promised": describe_promise(promise, column),
            "found": describe_sites(outcomes, promise, column),
            "source": source,
            "column": column,
            "figure": figure,
            "failed": [one for one in outcomes if one.error is not None],
        },
    )


def write_sites_page(outcomes: Sequence[SiteOutcome], promise: Promise, source: str, column: str, page: Path) -> None:
    """Write sites.html."""
    write_atomically(page, build_sites_page(outcomes, promise, source, column))
