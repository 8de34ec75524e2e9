"""discern compare: compare ways of training."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import LABELLED, Apply, Overrides, Verbose, list_fixes
from discern.files import find_free_folder


def compare(
    data: Annotated[str, typer.Argument(metavar="DATA", help=LABELLED)],
    overrides: Overrides = None,
    recipes: Annotated[
        str,
        typer.Option(help="Recipes to compare, such as v1,v2,v3,v4, each with the one before; or one, with --vary."),
    ] = "auto",
    vary: Annotated[
        list[str] | None,
        typer.Option(help="A setting and its values, such as data.image_size=128,224; may be given several times."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of runs of each way, with seeds 0, 1, 2 ...")] = 3,
    apply: Apply = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write, or to continue; comparisons/NAME by default.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train in several ways with several seeds on the same split; show which is better, and how certain that is."""
    from discern.console import show_details
    from discern.workflows.compare import compare as compare_variants

    show_details(verbose)
    folder = out or find_free_folder(Path("comparisons"), Path(data).resolve().stem)
    compare_variants(
        data,
        out=folder,
        recipes=[name.strip() for name in recipes.split(",") if name.strip()],
        varied=vary or [],
        seeds=seeds,
        overrides=[*(overrides or []), *list_fixes(apply)],
    )
