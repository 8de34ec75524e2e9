"""discern explain: which pixels decided."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Device, ImageColumn, ImageRoot, ImageSuffix, LabelColumn
from discern.cli.predict import SOME_PICTURES_UNREADABLE


def explain(
    run: Annotated[Path, typer.Argument(help="Run folder, or its bundle.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, glob patterns, CSV or .npz files.")
    ] = None,
    mistakes: Annotated[
        bool,
        typer.Option("--mistakes", help="Instead of INPUTS: mistakes of the run's evaluation, 25 pictures at most."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder to write; RUN/explanations by default.")] = None,
    method: Annotated[
        str, typer.Option(help="grad-cam, hires-cam or integrated-gradients (pixel by pixel, about 50 times slower).")
    ] = "grad-cam",
    target: Annotated[
        str | None, typer.Option(help="Class to explain, instead of the predicted and the true one.")
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="How many of the most probable classes to explain.")] = 1,
    neighbours: Annotated[
        int, typer.Option(min=0, max=10, help="How many of the most similar training pictures to show.")
    ] = 5,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    image_root: ImageRoot = None,
    image_suffix: ImageSuffix = None,
    device: Device = "auto",
) -> None:
    """Show which pixels decided, a figure a picture; exits with 1 when some pictures could not be read."""
    from discern.workflows.explain import explain as explain_pictures

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
        device=device,
    )
    for problem in explanations.problems:
        typer.echo(f"discern: {problem.path}: {problem.reason}", err=True)
    if explanations.problems:
        raise typer.Exit(SOME_PICTURES_UNREADABLE)
