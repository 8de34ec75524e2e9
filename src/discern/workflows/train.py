"""Labelled pictures in; a trained, evaluated and saved classifier out."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from discern.bundle import load_bundle
from discern.config.load import load_settings, read_settings, save_settings
from discern.config.settings import Settings
from discern.data.sources import Source
from discern.files import write_json
from discern.inference import Predictor
from discern.models.classifier import Classifier
from discern.run_folder import RunFolder, open_interrupted_run, start_run_folder
from discern.runtime import resolve_runtime, seed_everything
from discern.training.fit import Fit
from discern.training.listeners import HistoryFile, Listener, LogLines, OverfittingWatch, TensorBoard
from discern.training.progress import ProgressBar
from discern.training.state import TrainingState, has_state, load_state
from discern.workflows.completion import complete_run
from discern.workflows.preparation import (
    Prepared,
    build_pretrained,
    build_training_data,
    build_untrained,
    check_same_settings,
    prepare,
    prepare_again,
)
from discern.workflows.reporting import reporting

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Run:
    """A completed run, by its folder."""

    folder: RunFolder

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """What evaluation/metrics.json says: fractions with 95 % intervals, by split."""
        metrics: dict[str, Any] = json.loads((self.folder.evaluation / "metrics.json").read_text(encoding="utf-8"))
        return metrics

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch."""
        return pd.read_csv(self.folder.history)

    def load(self) -> Predictor:
        """Return the trained classifier, ready for use."""
        return Predictor(load_bundle(self.folder.bundle), resolve_runtime())


def train(
    source: Source,
    *,
    out: str | Path,
    recipe: str | Path = "auto",
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    console: Console | None = None,
) -> Run:
    """Train a classifier, evaluate it and write the run folder `out`.

    Args:
        source: A folder of class folders, a folder with train, validation and test, a CSV, an .npz file, a DataFrame,
            or a pair of images uint8 (N, H, W, 3) and labels (N,).
        out: The run folder to write.
        recipe: Name of a recipe, or path to a TOML file.
        overrides: `key=value` texts laid over the recipe.
        overwrite: Replace a run that `out` already holds.
        console: Where progress is shown; nowhere if None. The log file is written in any case.

    Raises:
        DiscernError: Any of its kinds; the text says what came, what was expected and what to do next.
    """
    settings = load_settings(recipe, overrides)
    folder = start_run_folder(Path(out), overwrite=overwrite)
    with reporting(folder.log, console):
        prepared = prepare(source, settings, folder)
        seed_everything(settings.run.seed)
        classifier = build_pretrained(prepared)
        write_json(folder.environment, prepared.environment)
        save_settings(prepared.settings, folder.config)
        return _fit_and_complete(prepared, folder, classifier, None, console)


def resume(
    out: str | Path,
    source: Source | None = None,
    *,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    console: Console | None = None,
) -> Run:
    """Go on with an interrupted run as if nothing had happened; on a CPU with determinism, bit for bit.

    `source`, `recipe` and `overrides` may be left out; what is given must be what the run was begun with.

    Raises:
        RunFolderError: There is nothing to resume, or settings or data are not those of the run.
    """
    folder = open_interrupted_run(Path(out))
    settings = read_settings(folder.config)
    with reporting(folder.log, console):
        prepared = prepare_again(source, settings, folder)
        if recipe is not None or overrides:
            check_same_settings(load_settings(recipe or "auto", overrides), settings, prepared.table, folder)
        seed_everything(settings.run.seed)
        if not has_state(folder.state):
            logger.info("no epoch was complete: starting with the first")
            return _fit_and_complete(prepared, folder, build_pretrained(prepared), None, console)
        state = load_state(folder.state)
        logger.info("going on after epoch %d", len(state.facts["rows"]))
        return _fit_and_complete(prepared, folder, build_untrained(prepared), state, console)


def _fit_and_complete(
    prepared: Prepared,
    folder: RunFolder,
    classifier: Classifier,
    state: TrainingState | None,
    console: Console | None,
) -> Run:
    settings = prepared.settings
    data = build_training_data(prepared, classifier.backbone)
    fit = Fit(
        classifier,
        settings.training,
        data,
        prepared.runtime,
        state_folder=folder.state,
        listeners=_choose_listeners(settings, folder, console),
    )
    try:
        result = fit.run(state)
    except KeyboardInterrupt:
        logger.warning(
            "stopped; %d epochs are complete and saved. Go on with: discern train --resume --out %s",
            len(fit.rows),
            folder.root,
        )
        raise
    complete_run(prepared, folder, classifier, data, result)
    return Run(folder)


def _choose_listeners(settings: Settings, folder: RunFolder, console: Console | None) -> list[Listener]:
    listeners: list[Listener] = [HistoryFile(folder.history), LogLines(), OverfittingWatch()]
    if settings.training.tensorboard:
        listeners.append(TensorBoard(folder.tensorboard))
    if console is not None and console.is_terminal and not console.is_jupyter:
        listeners.append(ProgressBar(console, sum(stage.epochs for stage in settings.training.stages)))
    return listeners
