"""discern review: decide about suspected pictures, with one key each."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import PageToken


def review(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder; decisions go to its overrides.csv.")],
    audit: Annotated[
        Path | None, typer.Option(help="Folder that discern audit wrote; by default RUN's own audit and its mistakes.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8001,
    token: PageToken = None,
) -> None:
    """Decide about suspected pictures on a local page: keep, relabel or drop. Your own files are not changed."""
    from discern.workflows.review import review as review_run

    review_run(run, audit=audit, port=port, token=token or None)
