"""discern push: upload a trained classifier to the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Verbose


def push(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or its bundle.")],
    repository: Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository; made if there is none.")],
    revision: Annotated[
        str | None, typer.Option(help="Branch to upload to; made if there is none. [default: main]")
    ] = None,
    private: Annotated[
        bool | None,
        typer.Option(
            "--private/--public", help="Who sees a new repository: you alone, or all. [default: as your account says]"
        ),
    ] = None,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Upload the names and features of training pictures too, which tell how familiar a picture is.",
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Upload a trained classifier with its model card to the Hugging Face Hub, without what shows its pictures."""
    from discern.console import show_details
    from discern.workflows.push import push as push_run

    show_details(verbose)
    address = push_run(run, repository, revision=revision, private=private, whole=whole)
    typer.echo(f"use it: discern predict {address} PICTURES...")
