"""Labelled pictures in; a trained, evaluated and saved classifier out."""

import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from rich.console import Console

from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.console import reporting
from discern.data.sources.load import Source
from discern.errors import BadImageError, DataError
from discern.evaluation.metrics import Metrics, load_metrics
from discern.models.classifier import Classifier
from discern.planning.preparation import (
    Prepared,
    agree,
    begin_run,
    build_pretrained,
    build_training_data,
    build_untrained,
    check_outside_data,
    prepare,
    prepare_again,
)
from discern.planning.time_budget import build_budget, plan_for_budget
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.processes import join_processes
from discern.run_folder import RunFolder, check_new_run, open_interrupted_run
from discern.runtime import seed_everything
from discern.training.fit import Fit
from discern.training.listeners import HistoryFile, Listener, LogLines, OverfittingWatch, TensorBoard
from discern.training.progress import ProgressBar
from discern.training.state import TrainingState, has_state, load_state
from discern.workflows.completion import complete_run

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Run:
    """A completed run, by its folder."""

    folder: RunFolder

    @cached_property
    def metrics(self) -> dict[str, Metrics]:
        """The metrics by split: `run.metrics["test"].accuracy.value`, with 95 % intervals."""
        return load_metrics(self.folder.evaluation / "metrics.json")

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch."""
        return pd.read_csv(self.folder.history)

    def load(self) -> Predictor:
        """Return the trained classifier, ready for use."""
        return load(self.folder.root)


def train(
    source: Source,
    *,
    out: str | Path,
    recipe: str | Path = "auto",
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    verbose: bool = True,
    started: float | None = None,
) -> Run:
    """Train a classifier, evaluate it and write the run folder `out`.

    Nothing is written, and no earlier run removed, before data, settings and weights have proved usable.

    Args:
        source: A folder of class folders, a folder with train, validation and test, a CSV, an .npz file, a DataFrame,
            or a pair of images uint8 (N, H, W, 3) and labels (N,).
        out: The run folder to write.
        recipe: Name of a recipe, or path to a TOML file.
        overrides: `key=value` texts laid over the recipe.
        overwrite: Replace a run that `out` already holds.
        verbose: Show progress on standard output. The log file is written in any case.
        started: The moment of `time.monotonic()` from which on `run.budget` counts; now by default.

    Raises:
        DiscernError: Any of its kinds; the text says what came, what was expected and what to do next.
    """
    started = time.monotonic() if started is None else started
    processes = join_processes()
    with reporting(verbose=verbose) as report:
        with processes.main_first():
            settings = load_settings(recipe, overrides)
            # The others come when the first process has made the folder.
            folder = check_new_run(Path(out), overwrite=overwrite) if processes.is_main else RunFolder(Path(out))
            check_outside_data(folder, source)
            prepared = prepare(source, settings, folder)
            seed_everything(settings.run.seed)
            classifier = build_pretrained(prepared)
            prepared = plan_for_budget(prepared, classifier, started)
            if processes.is_main:
                begin_run(prepared, folder)
                report.open_log(folder.log)
        return _fit_and_complete(prepared, folder, classifier, None, report.console, started)


def resume(
    out: str | Path,
    source: Source | None = None,
    *,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    verbose: bool = True,
) -> Run:
    """Go on with an interrupted run as if nothing had happened; on a CPU with determinism, bit for bit.

    `source`, `recipe` and `overrides` may be left out; what is given must be what the run was begun with. Only
    `run.device`, `run.threads`, `data.workers`, `data.cache`, and the cache's folder and limit may differ.

    Raises:
        RunFolderError: There is nothing to resume, or settings or data are not those of the run.
    """
    started = time.monotonic()
    processes = join_processes()
    with reporting(verbose=verbose) as report:
        with processes.main_first():
            folder = open_interrupted_run(Path(out))
            wanted = load_settings(folder.config if recipe is None else recipe, overrides)
            prepared = prepare_again(source, wanted, folder)
            if processes.is_main:
                report.open_log(folder.log)
            seed_everything(prepared.settings.run.seed)
            state = load_state(folder.state) if has_state(folder.state) else None
            if state is None:
                logger.info("no epoch was complete: starting with the first")
                classifier = build_pretrained(prepared)
            else:
                state.check_processes(processes.count)
                logger.info("going on after epoch %d", len(state.facts["rows"]))
                classifier = build_untrained(prepared)
        return _fit_and_complete(prepared, folder, classifier, state, report.console, started)


def _fit_and_complete(
    prepared: Prepared,
    folder: RunFolder,
    classifier: Classifier,
    state: TrainingState | None,
    console: Console | None,
    started: float,
) -> Run:
    prepared = agree(prepared)
    settings, processes = prepared.settings, prepared.runtime.processes
    # From here on each process rolls dice of its own, for dropout and mixing.
    seed_everything((settings.run.seed + processes.rank) % 2**32)
    data = build_training_data(prepared, classifier.backbone)
    fit = Fit(
        classifier,
        settings.training,
        data,
        prepared.runtime,
        state_folder=folder.state,
        listeners=_choose_listeners(settings, folder, console) if processes.is_main else (),
        budget=build_budget(prepared, started),
    )
    try:
        result = fit.run(state)
    except KeyboardInterrupt:
        command = f"discern train --resume --out {shlex.quote(str(folder.root))}"
        logger.warning("stopped; %d epochs are complete and saved. Go on with: %s", fit.saved_epochs, command)
        raise
    except BadImageError as error:
        raise DataError(
            f"{error}. It was found in the middle of training; data.verify=full finds all such files beforehand, and "
            "data.on_bad=skip leaves them out"
        ) from None
    complete_run(prepared, folder, classifier, data, result)
    return Run(folder)


def _choose_listeners(settings: Settings, folder: RunFolder, console: Console | None) -> list[Listener]:
    listeners: list[Listener] = [HistoryFile(folder.history), LogLines(), OverfittingWatch()]
    if settings.training.tensorboard:
        listeners.append(TensorBoard(folder.tensorboard))
    if console is not None and console.is_terminal and not console.is_jupyter:
        listeners.append(ProgressBar(console, settings.training.phases))
    return listeners
