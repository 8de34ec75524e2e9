"""Searches for better settings of a recipe: many short trainings, then one with the best settings, tested once."""

import logging
import time
from pathlib import Path

import pandas as pd

from discern.config.overrides import Overrides, list_overrides
from discern.console import reporting
from discern.tuning.best_trial import save_best_recipe, train_best, write_trials
from discern.tuning.search import open_search
from discern.tuning.study import open_study
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
    """Search, and write trials.csv, best.toml, the plots and the run `best` to the folder `out`.

    A trial is scored on validation, by the best epoch of the phases that trials differ in; the test split is used
    once, by the run `best`. A trial that fails ends alone. Called again with the same `out` it goes on; several
    processes may do so at once, with `storage` on many machines.

    Args:
        source: A folder, CSV or .npz file with labelled pictures.
        out: The folder to write.
        recipe: The recipe to improve.
        overrides: Settings laid over it in all trials: `key=value` texts or a mapping.
        trials: How many trials this call makes; 30 unless a budget is given.
        budget_seconds: Stop in time for the last training to end within it.
        space: TOML file whose section [space] says what may vary; `build_default_space` of the recipe by default.
        storage: URL of a database; SQLite in `out` by default.
        name: Of the study in the database; the folder's name by default.
        verbose: Show progress on standard output.

    Returns:
        The table of trials.csv: a row a trial.

    Raises:
        ConfigError: The recipe, the space or the database cannot be used.
        DataError: The pictures cannot be used, or not one trial completed.
        RunFolderError: `out` holds another search, or something else.
    """
    started, folder = time.monotonic(), Path(out)
    with reporting(verbose=verbose):
        search = open_search(
            name or folder.resolve().name, str(source), folder, recipe, list_overrides(overrides), space
        )
        study = open_study(search.name, storage, folder, seed=search.settings.run.seed)
        run_trials(study, search, trials=trials, budget_seconds=budget_seconds, started=started)
        table = write_trials(study, search)
        save_best_recipe(study, search)
        if (table["state"] == "running").any():
            logger.info("other processes still search; the last one to end trains with the best settings")
        else:
            train_best(study, search)
        return table
