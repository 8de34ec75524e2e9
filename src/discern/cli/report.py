"""discern report: the page of a run."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
) -> None:
    """Make the page of a run again: RUN/report.html, one file with everything in it."""
    from discern.console import reporting
    from discern.workflows.report import report as report_run

    with reporting(verbose=True):
        page = report_run(run)
    typer.echo(f"written: {page}")
