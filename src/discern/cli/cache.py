"""discern cache: show and clear what is kept between runs."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.sections import SectionedGroup

cache_app = typer.Typer(
    cls=SectionedGroup,
    help="Show and clear what is kept between runs: features of frozen layers, decoded pictures, unpacked archives.",
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
    """Show the folder and the size of the cache, and of what was unpacked."""
    from discern.data.cache.home import build_cache
    from discern.data.sources.unpacked import measure_unpacked, unpacked_home

    facts = build_cache(folder).info()
    typer.echo(
        f"{facts.folder}: {facts.files} files, {facts.bytes / 1e9:.2f} GB of {facts.limit_bytes / 1e9:.0f} GB allowed"
    )
    if folder is None:
        typer.echo(f"{unpacked_home()}: {measure_unpacked() / 1e9:.2f} GB of unpacked pictures")


@cache_app.command()
def clear(folder: Folder = None) -> None:
    """Empty the cache, and remove what was unpacked; both are made again when needed."""
    from discern.data.cache.home import build_cache
    from discern.data.sources.unpacked import clear_unpacked

    freed = build_cache(folder).clear() + (clear_unpacked() if folder is None else 0)
    typer.echo(f"freed {freed / 1e9:.2f} GB")
