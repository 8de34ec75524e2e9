"""discern tune: search for better settings of a recipe."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.completion import complete_recipe
from discern.cli.options import LABELLED, Apply, Overrides, Verbose, list_fixes
from discern.files import find_free_folder


def tune(
    data: Annotated[str, typer.Argument(metavar="DATA", help=LABELLED)],
    overrides: Overrides = None,
    recipe: Annotated[
        str, typer.Option(help="The recipe to improve: a name, or a TOML file.", autocompletion=complete_recipe)
    ] = "auto",
    trials: Annotated[int | None, typer.Option(min=1, help="Number of trials. [default: 30 without --budget]")] = None,
    budget: Annotated[str | None, typer.Option(help="Time limit for the whole search, such as 10m or 2h.")] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            help="TOML file whose [space] says which settings vary; by default learning rates and regularisation."
        ),
    ] = None,
    storage: Annotated[
        str | None, typer.Option(help="URL of a database for many machines; SQLite in --out by default.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the study in the database; the name of --out by default.")
    ] = None,
    apply: Apply = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write, or to continue; searches/NAME by default.")] = None,
    verbose: Verbose = False,
) -> None:
    """Search for better settings by validation scores, then train with the best and use the test split once."""
    from discern.config.duration import parse_duration
    from discern.console import show_details
    from discern.workflows.tune import tune as tune_recipe

    show_details(verbose)
    folder = out or find_free_folder(Path("searches"), Path(data).resolve().stem)
    tune_recipe(
        data,
        out=folder,
        recipe=recipe,
        overrides=[*(overrides or []), *list_fixes(apply)],
        trials=trials,
        budget_seconds=None if budget is None else parse_duration(budget),
        space=space,
        storage=storage,
        name=name,
    )
    typer.echo(f"written: {folder}")
