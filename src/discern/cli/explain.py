"""discern explain: show which pixels decided."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Device, ImageColumn, ImageRoot, ImageSuffix, LabelColumn, Moved, RunOrBundle, Verbose
from discern.cli.predict import SOME_PICTURES_UNREADABLE
from discern.errors import one_line


def explain(
    run: RunOrBundle,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUTS", help="Files, folders, archives, glob patterns, tables, .npz."),
    ] = None,
    mistakes: Annotated[
        bool,
        typer.Option("--mistakes", help="Explain the mistakes of the run's evaluation instead of INPUTS, at most 25."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write; RUN/explanations by default.")] = None,
    method: Annotated[
        str,
        typer.Option(
            help="grad-cam or hires-cam for convolutional networks, attention for vision transformers, or "
            "integrated-gradients for any (pixel by pixel, about 50 times slower); auto: by the network."
        ),
    ] = "auto",
    target: Annotated[
        str | None, typer.Option(help="Class to explain, instead of the predicted and the true one.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Number of classes to explain, the most probable ones.")] = 1,
    neighbours: Annotated[
        int, typer.Option(min=0, max=10, help="Number of training pictures to show, the most similar ones.")
    ] = 5,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    image_root: ImageRoot = None,
    image_suffix: ImageSuffix = None,
    data: Moved = None,
    device: Device = "auto",
    verbose: Verbose = False,
) -> None:
    """Show which pixels decided, in a figure for each picture; exits with 1 if some could not be read."""
    from discern.console import show_details
    from discern.workflows.explain import explain as explain_pictures

    show_details(verbose)
    explanations = explain_pictures(
        run,
        inputs or None,
        mistakes=mistakes,
        out=out,
        method=method,
        target=target,
        top_k=top_k,
        neighbours=neighbours,
        image_column=image_column,
        label_column=label_column,
        image_root=image_root,
        image_suffix=image_suffix,
        data=data,
        device=device,
    )
    for problem in explanations.problems:
        typer.echo(f"discern: {one_line(problem.path)}: {problem.reason}", err=True)
    if explanations.problems:
        raise typer.Exit(SOME_PICTURES_UNREADABLE)
