"""discern predict: classify pictures and write a table."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import AsJson, Device, ImageColumn, ImageRoot, ImageSuffix, RunOrBundle, Verbose, Views
from discern.errors import ConfigError, list_some

SOME_PICTURES_UNREADABLE = 1
_MAX_PRINTED, _MAX_PRINTED_COLUMNS = 20, 8


def predict(
    run: RunOrBundle,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUTS", help="Files, folders, archives, glob patterns, tables, .npz."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Table to write: .csv, .tsv with tabs, or .parquet. After an interruption, the same command goes on. "
            "[default: predictions.csv; nothing is written with --json]"
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add the probability of each class, one column per class.")
    ] = False,
    top_k: Annotated[int, typer.Option(min=1, help="Number of labels per picture, the most probable first.")] = 1,
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Largest share of wrong answers, such as 0.01; less certain pictures, and those unlike the training "
            'pictures, are answered "unknown".'
        ),
    ] = None,
    set_coverage: Annotated[
        float | None,
        typer.Option(
            help="Add a set of classes that contains the true one for this share of all pictures, such as 0.95."
        ),
    ] = None,
    like: Annotated[Path | None, typer.Option(help="Sample submission whose form is kept exactly.")] = None,
    image_column: ImageColumn = None,
    image_root: ImageRoot = None,
    image_suffix: ImageSuffix = None,
    on_bad: Annotated[
        str | None,
        typer.Option(
            help="Pictures that cannot be read. error: stop; skip: leave them out; fallback, with --like: the sample's "
            "own answer, or else the most frequent class. [default: error with --like, otherwise skip]"
        ),
    ] = None,
    sort_into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Copy the pictures into DIR, each into a folder of its class, or unknown; nothing there is replaced.",
        ),
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(help="Make links instead of copies, with --sort-into: symbolic, or hard (on the same disk)."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace --out also where it is no earlier table of answers.")
    ] = False,
    csv_safe: Annotated[
        bool,
        typer.Option("--csv-safe", help="Disarm names that a spreadsheet takes for formulas, by a leading '."),
    ] = False,
    tta: Views = None,
    device: Device = "auto",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Classify pictures; exits with 1 if some could not be read, which are listed."""
    if like is not None and (probabilities or top_k > 1 or max_error is not None or set_coverage is not None):
        raise ConfigError(
            "--like takes its columns from the sample submission; leave out --probabilities, --top-k, --max-error and "
            "--set-coverage"
        )
    from discern.cli.documents import PredictionDocument, keeping_output_free, print_document
    from discern.console import show_details
    from discern.processes import join_processes
    from discern.workflows.predict import predict as predict_pictures

    show_details(verbose)
    file = out if out is not None or as_json else Path("predictions.csv")
    with keeping_output_free(as_json):
        answers = predict_pictures(
            run,
            inputs,
            out=file,
            probabilities=probabilities,
            top_k=top_k,
            max_error=max_error,
            set_coverage=set_coverage,
            like=like,
            image_column=image_column,
            image_root=image_root,
            image_suffix=image_suffix,
            on_bad=on_bad,
            sort_into=sort_into,
            link=link,
            overwrite=overwrite,
            csv_safe=csv_safe,
            tta=tta,
            device=device,
        )
    if not join_processes().is_main:
        return
    if as_json:
        print_document(PredictionDocument.build(file, answers.frame, answers.problems))
    elif answers.count <= _MAX_PRINTED:
        shown = answers.frame.drop(columns="path", errors="ignore").iloc[:, :_MAX_PRINTED_COLUMNS]
        typer.echo(shown.to_string(index=False, float_format="{:.3g}".format, max_colwidth=40, na_rep=""))
    if answers.problems:
        typer.echo("discern: pictures that could not be read:", err=True)
        typer.echo(list_some([f"{problem.path}: {problem.reason}" for problem in answers.problems]), err=True)
        raise typer.Exit(SOME_PICTURES_UNREADABLE)
