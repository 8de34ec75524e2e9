"""discern report: write the report of a run again."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
) -> None:
    """Write RUN/report.html again, one file with all results and figures."""
    from discern.console import reporting
    from discern.workflows.report import report as report_run

    with reporting(verbose=True):
        page = report_run(run)
    typer.echo(f"written: {page}")
