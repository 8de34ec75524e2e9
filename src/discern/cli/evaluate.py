"""discern evaluate: evaluate a trained classifier on labelled pictures."""

from pathlib import Path
from typing import Annotated

import typer

from discern.cli.options import (
    LABELLED,
    RUN_HELP,
    Apply,
    AsJson,
    Device,
    ImageColumn,
    ImageRoot,
    ImageSuffix,
    LabelColumn,
    LabelPattern,
    SplitColumn,
    Verbose,
    Views,
)
from discern.errors import ConfigError
from discern.files import find_free_folder


def evaluate(
    run: Annotated[str | None, typer.Argument(metavar="RUN", help=RUN_HELP)] = None,
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=LABELLED)] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Instead of RUN and DATA: a predictions.csv to recompute numbers and plots from."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; RUN/evaluation/NAME, or beside the predictions, by default."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, validation or test, if DATA has them. [default: test, otherwise validation]"),
    ] = None,
    on_bad: Annotated[
        str | None, typer.Option(help="error: stop at bad pictures; skip: leave them out. [default: error]")
    ] = None,
    missing_labels: Annotated[
        str | None,
        typer.Option(
            help="refuse: stop at pictures without a label; drop: leave them out; keep: the text nan in a table is a "
            "class. [default: refuse]"
        ),
    ] = None,
    apply: Apply = None,
    unfamiliar: Annotated[
        list[str] | None,
        typer.Option(help="Pictures of other things (files, folders, CSV): how well are they separated from DATA?"),
    ] = None,
    ranking: Annotated[
        bool, typer.Option("--ranking", help="Also ROC AUC and average precision of each class against all others.")
    ] = False,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    label_pattern: LabelPattern = None,
    split_column: SplitColumn = None,
    image_root: ImageRoot = None,
    image_suffix: ImageSuffix = None,
    tta: Views = None,
    device: Device = "auto",
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Evaluate a trained classifier on labelled pictures; classes are joined by name."""
    if predictions is not None:
        columns = (image_column, label_column, label_pattern, split_column, image_root, image_suffix)
        has_more = any(
            other is not None
            for other in (run, data, split, on_bad, missing_labels, apply or None, unfamiliar or None, tta, *columns)
        )
        if has_more or device != "auto":
            raise ConfigError(
                "--predictions replaces RUN and DATA; only --out, --ranking and --json can be given with it"
            )
        _evaluate_predictions(predictions, out, ranking, as_json)
        return
    if run is None or data is None:
        raise ConfigError("give a run and labelled pictures: discern evaluate RUN DATA; or --predictions FILE")
    from discern.cli.documents import keeping_output_free
    from discern.console import show_details
    from discern.workflows.evaluate import evaluate as evaluate_run

    show_details(verbose)
    folder = out or _find_place(run, data)
    with keeping_output_free(as_json):
        evaluate_run(
            run,
            data,
            out=folder,
            split=split,
            image_column=image_column,
            label_column=label_column,
            label_pattern=label_pattern,
            split_column=split_column,
            image_root=image_root,
            image_suffix=image_suffix,
            on_bad=on_bad or "error",
            missing_labels=missing_labels or "refuse",
            fixes=apply or (),
            tta=tta,
            device=device,
            unfamiliar=unfamiliar or None,
            ranking=ranking,
        )
    _announce_result(folder, as_json)


def _find_place(run: str, data: str) -> Path:
    """Return a new folder for an evaluation; those of a bundle are beside it, not in it."""
    from discern.predictor.hub_bundle import check_place
    from discern.run_folder import name_source

    check_place(run, None)
    root = Path(run).parent if Path(run).name == "bundle" else Path(run)
    return find_free_folder(root / "evaluation", name_source(data) or "data")


def _evaluate_predictions(predictions: Path, out: Path | None, ranking: bool, as_json: bool) -> None:
    from discern.cli.documents import keeping_output_free
    from discern.workflows.evaluate import evaluate_predictions

    folder = out or find_free_folder(predictions.parent, predictions.stem)
    with keeping_output_free(as_json):
        evaluate_predictions(predictions, out=folder, ranking=ranking)
    _announce_result(folder, as_json)


def _announce_result(folder: Path, as_json: bool) -> None:
    """Name the folder that was written or, as JSON, print its metrics too; of several processes only the first does."""
    from discern.cli.documents import EvaluationDocument, print_document
    from discern.evaluation.metrics import load_metrics
    from discern.processes import join_processes

    if not join_processes().is_main:
        return
    if as_json:
        print_document(EvaluationDocument(folder=str(folder), metrics=load_metrics(folder / "metrics.json")))
    else:
        typer.echo(f"written: {folder}")
