"""discern cache: show and clear what is kept between runs."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.sections import SectionedGroup

cache_app = typer.Typer(
    cls=SectionedGroup,
    help="Show and clear what is kept between runs: features of frozen layers, decoded pictures.",
    rich_markup_mode=None,
)

Folder = Annotated[Path | None, typer.Option(help="The folder of the cache, if cache.folder is set.")]


@cache_app.callback(invoke_without_command=True)
def show_by_default(context: typer.Context) -> None:
    """Show the cache."""
    if context.invoked_subcommand is None:
        info()


@cache_app.command()
def info(folder: Folder = None) -> None:
    """Show the folder and the size of the cache."""
    from discern.data.cache.home import build_cache

    facts = build_cache(folder).info()
    typer.echo(
        f"{facts.folder}: {facts.files} files, {facts.bytes / 1e9:.2f} GB of {facts.limit_bytes / 1e9:.0f} GB allowed"
    )


@cache_app.command()
def clear(folder: Folder = None) -> None:
    """Empty the cache; its content is computed again when needed."""
    from discern.data.cache.home import build_cache

    freed = build_cache(folder).clear()
    typer.echo(f"freed {freed / 1e9:.2f} GB")
