"""discern compare: compare ways of training."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import LABELLED, Apply, Overrides, Verbose, list_fixes
from discern.errors import ConfigError
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
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of runs of each way, with seeds 0, 1, 2 ... [default: 3]")
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Instead: train without each site in turn, such as each camera, named by this column of DATA; show "
            "what holds there, beside the promise of a random split.",
        ),
    ] = None,
    max_sites: Annotated[int, typer.Option(min=2, help="Most sites of --leave-out; each takes a training.")] = 20,
    apply: Apply = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write, or to continue; comparisons/NAME by default.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Train in several ways with several seeds on the same split; show which is better, and how certain that is."""
    from discern.console import show_details
    from discern.workflows.compare import compare as compare_variants
    from discern.workflows.leave_out import leave_out as leave_out_sites

    show_details(verbose)
    folder = out or find_free_folder(Path("comparisons"), Path(data).resolve().stem)
    names = [name.strip() for name in recipes.split(",") if name.strip()]
    asked = [*(overrides or []), *list_fixes(apply)]
    if leave_out is None:
        compare_variants(data, out=folder, recipes=names, varied=vary or [], seeds=seeds or 3, overrides=asked)
        return
    if len(names) != 1 or vary or seeds is not None:
        raise ConfigError(
            "--leave-out compares sites with one way of training and one seed: name one recipe, and leave out --vary "
            "and --seeds (run.seed=1 takes another seed)"
        )
    leave_out_sites(data, leave_out, out=folder, recipe=names[0], overrides=asked, max_sites=max_sites)
