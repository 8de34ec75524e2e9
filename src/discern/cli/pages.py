"""Names a page that a command has written, and opens it."""

from pathlib import Path
from typing import Annotated

import typer

Open = Annotated[bool, typer.Option("--open", help="Open the report in a browser at the end.")]


def announce_page(name: str, page: Path, *, opens: bool) -> None:
    """Name the page and, if asked, open it in the user's browser, the one that the variable BROWSER names."""
    import webbrowser

    typer.echo(f"{name}: {page}")
    if opens and not webbrowser.open(page.resolve().as_uri()):
        typer.echo("discern: no browser was found that can show it; copy the file to a machine that has one", err=True)
