"""discern report: write the report of a run again."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Moved
from discern.cli.pages import Open, announce_page


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    data: Moved = None,
    opens: Open = False,
) -> None:
    """Write RUN/report.html again, one file with all results and figures."""
    from discern.console import reporting
    from discern.workflows.report import report as report_run

    with reporting(verbose=True):
        page = report_run(run, data=data)
    announce_page("written", page, opens=opens)
