"""Searches for better settings of a recipe, then trains with the best and tests once."""

import logging
import time
from pathlib import Path

import pandas as pd

from discern.config.overrides import Overrides, list_overrides
from discern.console import reporting
from discern.tuning.best_trial import save_best_recipe, train_best, write_trials
from discern.tuning.search import open_search
from discern.tuning.searchers import keeping_others_out, searching
from discern.tuning.shared_folder import going_on_in
from discern.tuning.study import end_killed_trials, open_study, recording
from discern.tuning.trials import run_trials

logger = logging.getLogger("discern")


def tune(
    source: str | Path,
    *,
    out: str | Path,
    recipe: str | Path = "auto",
    overrides: Overrides = (),
    trials: int | None = None,
    budget_seconds: float | None = None,
    space: str | Path | None = None,
    storage: str | None = None,
    name: str | None = None,
    verbose: bool = True,
) -> pd.DataFrame:
    """Search for better settings; write trials.csv, best.toml, the plots and the run `best` to the folder `out`.

    The score of a trial is the validation score of the epoch that is kept, in the phases that differ between trials.
    The test split is used once, by the run `best`. A failed trial does not end the search; a full disk does. A second
    call with the same `out` continues it; several processes may search at the same time, with `storage` on several
    machines.

    Args:
        source: A folder, archive, table or .npz file with labelled pictures.
        out: The folder to write.
        recipe: The recipe to improve.
        overrides: Settings that override the recipe in all trials: `key=value` strings or a mapping.
        trials: Number of trials in this call; by default 30, or as many as the budget allows.
        budget_seconds: Time limit for the trials and the training with the best settings.
        space: TOML file whose section [space] says which settings vary; by default that of `build_default_space`.
        storage: URL of a database; SQLite in `out` by default.
        name: Name of the study in the database; the folder's name by default.
        verbose: Show progress on standard output.

    Returns:
        The table of trials.csv, with one row per trial.

    Raises:
        ConfigError: The recipe, the space or the database cannot be used.
        DataError: The pictures cannot be used, or no trial completed.
        RunFolderError: `out` has another search, or other files.
        WriteError: A file cannot be written, for instance because the disk is full.
    """
    started, folder = time.monotonic(), Path(out)
    with reporting(verbose=verbose), going_on_in(folder):
        search = open_search(
            name or folder.resolve().name, str(source), folder, recipe, list_overrides(overrides), space
        )
        study = open_study(search.name, storage, folder, seed=search.settings.run.seed)
        with recording(folder, storage):
            with searching(folder):
                run_trials(study, search, trials=trials, budget_seconds=budget_seconds, started=started)
            with keeping_others_out(folder) as is_alone:
                # Of a database of many machines, this folder does not tell who else searches.
                end_killed_trials(study, is_alone=is_alone and storage is None)
        table = write_trials(study, search)
        save_best_recipe(study, search)
        if (table["state"] == "running").any():
            logger.info(
                "other processes are still searching; the last one to end trains with the best settings. If they were "
                "killed, search again in a minute"
            )
        else:
            train_best(study, search)
        return table
