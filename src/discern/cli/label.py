"""discern label: label pictures that have no labels, until what is wished can be promised."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Overrides, PageToken, Verbose


def label(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Pictures: a folder, a glob pattern, or a table.")],
    overrides: Overrides = None,
    classes: Annotated[
        str | None, typer.Option(help="Classes to begin with, such as ant,bee; others can be added on the page.")
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(
            help="What is to be promised before you may stop. "
            "[default: 2% wrong, 80% answered; later that of the first time]"
        ),
    ] = None,
    share: Annotated[
        str, typer.Option(help="Your part if several people label, such as 1/2; then see discern merge-labels.")
    ] = "1/1",
    seed: Annotated[int, typer.Option(min=0, help="Of the pictures that are kept apart.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder to write, or to continue; labels/NAME by default.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8003,
    token: PageToken = None,
    verbose: Verbose = False,
) -> None:
    """Label pictures on a local page that asks first what helps, says what could be promised and when to stop."""
    from discern.console import show_details
    from discern.workflows.label import label as label_pictures

    show_details(verbose)
    names = [name.strip() for name in (classes or "").split(",")]
    label_pictures(
        source,
        out=out,
        classes=[name for name in names if name],
        goal=goal,
        share=share,
        seed=seed,
        overrides=overrides or [],
        port=port,
        token=token or None,
    )
