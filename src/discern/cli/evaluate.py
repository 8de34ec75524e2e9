"""discern evaluate: a trained classifier against labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import Device, ImageColumn, ImageRoot, ImageSuffix, LabelColumn
from discern.files import find_free_folder


def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder, or its bundle.")],
    data: Annotated[str, typer.Argument(help="Labelled pictures: folder, CSV or .npz file.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write; RUN/evaluation/NAME by default.")] = None,
    split: Annotated[
        str | None, typer.Option(help="train, validation or test, where DATA has them. [default: test]")
    ] = None,
    on_bad: Annotated[str, typer.Option(help="error: stop at bad pictures; skip: leave them out.")] = "error",
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    image_root: ImageRoot = None,
    image_suffix: ImageSuffix = None,
    device: Device = "auto",
) -> None:
    """Evaluate a trained classifier on labelled pictures; classes are joined by name."""
    from discern.config.load import check_settings
    from discern.workflows.evaluate import evaluate as evaluate_run
    from discern.workflows.reporting import reporting

    given = {
        "image_column": image_column,
        "label_column": label_column,
        "image_root": image_root,
        "image_suffix": image_suffix,
        "on_bad": on_bad,
    }
    settings = check_settings({"data": {name: value for name, value in given.items() if value is not None}})
    # The evaluations of a bundle stand beside it, not in it.
    root = run.parent if run.name == "bundle" else run
    folder = out or find_free_folder(root / "evaluation", Path(data).resolve().stem)
    with reporting(verbose=True):
        evaluate_run(run, data, out=folder, split=split, data=settings.data, device=device)
    typer.echo(f"written: {folder}")
