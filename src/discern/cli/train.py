"""discern train: train and evaluate a classifier on labelled pictures."""

import time
from pathlib import Path
from typing import Annotated

import typer

from discern.cli.completion import complete_recipe
from discern.cli.loading import without_collection
from discern.cli.options import LABELLED, Apply, Overrides, Verbose, list_fixes
from discern.cli.pages import Open, announce_page
from discern.errors import ConfigError


def train(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help=LABELLED),
    ] = None,
    overrides: Overrides = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; runs/NAME by default.")] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A recipe's name, or a TOML file. [default: auto]", autocompletion=complete_recipe),
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Time limit for the whole run, such as 30s, 10m or 2h.")] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Train so many networks, each without another part of the pictures, to use together."),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="An earlier run, such as that of a larger network, to learn from beside the labels."),
    ] = None,
    apply: Apply = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted run in --out.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    opens: Open = False,
    verbose: Verbose = False,
) -> None:
    """Train a classifier on labelled pictures, evaluate it, and write a run folder."""
    started = time.monotonic()
    if data is not None and "=" in data and not Path(data).exists():
        overrides = [data, *(overrides or [])]
        data = None
    named = {"run.budget": budget, "run.folds": folds, "training.teacher": teacher}
    given = [f"{name}={value}" for name, value in named.items() if value is not None]
    overrides = [*(overrides or []), *list_fixes(apply), *given]
    if resume and overwrite:
        raise ConfigError("--resume continues a run and --overwrite replaces it; give only one of them")
    if resume and out is None:
        raise ConfigError("--resume needs the run folder: --out RUN")
    if data is None and not resume:
        raise ConfigError("give the labelled pictures: discern train FOLDER_OR_CSV_OR_NPZ")
    with without_collection():
        from discern.cli.huge_pages import HugePages
        from discern.console import show_details
        from discern.processes import join_processes
        from discern.workflows.resume import resume as resume_run
        from discern.workflows.train import train as train_run

    show_details(verbose)
    listeners = [HugePages()]
    if resume and out is not None:
        run = resume_run(out, data, recipe=recipe, overrides=overrides, listeners=listeners)
    else:
        run = train_run(
            str(data),
            out=out,
            recipe=recipe or "auto",
            overrides=overrides,
            overwrite=overwrite,
            listeners=listeners,
            started=started,
        )
    if join_processes().is_main:
        typer.echo(f"next: discern predict {run.folder.root} PICTURES... --out predictions.csv")
        if run.folder.report.is_file():
            announce_page("report", run.folder.report, opens=opens)
