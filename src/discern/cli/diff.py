"""discern diff: compare two runs on the same pictures."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import AsJson, Moved, Verbose
from discern.files import find_free_folder


def diff(
    run_a: Annotated[
        Path, typer.Argument(metavar="RUN_A", help="Run folder, folder of an evaluation, or predictions.csv.")
    ],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", help="The other one, in the same forms.")],
    split: Annotated[
        str | None,
        typer.Option(help="train, validation or test. [default: test if both have it, otherwise validation]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write; against-NAME_A beside the predictions of B by default.")
    ] = None,
    data: Moved = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show whether run B is better than run A on the same pictures, and where they disagree."""
    from discern.cli.documents import DiffDocument, keeping_output_free, print_document
    from discern.console import show_details
    from discern.evaluation.predictions import find_predictions
    from discern.workflows.diff import diff as diff_runs

    show_details(verbose)
    name_a = run_a.stem if run_a.is_file() else run_a.resolve().name
    folder = out or find_free_folder(find_predictions(run_b).parent, f"against-{name_a}")
    with keeping_output_free(as_json):
        comparison = diff_runs(run_a, run_b, out=folder, split=split, data=data)
        typer.echo(f"written: {folder}")
    if as_json:
        print_document(DiffDocument(folder=str(folder), comparison=comparison))
