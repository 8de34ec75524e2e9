"""discern studio: the whole way on one page."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import PageToken


def studio(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder with your pictures, for the runs too; it may be empty."),
    ] = Path(),
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all, with a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free port.")] = 8004,
    token: PageToken = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A host name that browsers may use, for instance behind a proxy.")
    ] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Do all of it on a page: look through pictures, label, train, see the report, try, compare, export."""
    from discern.workflows.studio import studio as serve_studio

    # uvicorn stops what runs, and then the signal ends the process, which service managers take for a clean end.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    serve_studio(folder, host=host, port=port, token=token or None, allowed_hosts=tuple(allow_host or ()), opens=opens)
