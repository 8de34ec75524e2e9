"""Searching for better settings of a recipe: many short trainings, and the best one done again and tested once."""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from discern.config.load import load_settings, save_settings
from discern.config.settings import Settings
from discern.data.cache.home import build_cache
from discern.data.prepare import prepare_shared_split
from discern.errors import DataError
from discern.files import write_json
from discern.plots.tuning import plot_importance, plot_trials
from discern.reports.evaluation_files import save_figure, write_table
from discern.run_folder import RunFolder
from discern.tuning.child_run import run_child
from discern.tuning.claim import claim_folder
from discern.tuning.space import Space, build_default_space, build_override, check_space, load_space, suggest_overrides
from discern.tuning.study import measure_importance, open_study, tabulate_trials

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Search:
    """What all trials have in common, and where they lie."""

    name: str
    source: str
    recipe: str
    overrides: tuple[str, ...]
    settings: Settings
    space: Space
    floors: frozenset[str]
    out: Path

    @property
    def monitor(self) -> str:
        """What the best epoch of a trial is chosen by."""
        return self.settings.training.monitor

    @property
    def split(self) -> Path:
        """The split that all trials share."""
        return self.out / "split.csv"

    def score(self, history: pd.DataFrame) -> pd.Series:
        """Return what is maximised, epoch by epoch of the phases that trials differ in."""
        values = history.loc[~history["phase"].isin(self.floors), self.monitor]
        return -values if self.monitor == "validation_loss" else values


def tune(
    source: str | Path,
    *,
    out: Path,
    recipe: str = "auto",
    overrides: Sequence[str] = (),
    trials: int | None = None,
    budget_seconds: float | None = None,
    space: Path | None = None,
    storage: str | None = None,
    name: str | None = None,
) -> pd.DataFrame:
    """Search, and write trials.csv, best.toml, the plots and the run `best` to the folder `out`.

    Trials are judged on validation, by the best epoch of the phases that they differ in; the test split is looked at
    once, by the run `best`. A trial that fails ends alone. Called again with the same `out` it goes on; several
    processes may do so at once, with `storage` on many machines.

    Args:
        source: A folder, CSV or .npz file with labelled pictures.
        out: The folder to write.
        recipe: The recipe to improve.
        overrides: `key=value` texts laid over it in all trials.
        trials: How many trials this call makes; 30 unless a budget is given.
        budget_seconds: Stop in time for the last training to end within it.
        space: TOML file whose section [space] says what may vary; `build_default_space` of the recipe by default.
        storage: URL of a database; SQLite in `out` by default.
        name: Of the study in the database; the folder's name by default.

    Raises:
        ConfigError: The recipe, the space or the database cannot be used.
        DataError: The pictures cannot be used, or not one trial completed.
        RunFolderError: `out` holds another search, or something else.
    """
    started = time.monotonic()
    search = _begin(name or out.resolve().name, str(source), out, recipe, overrides, space)
    study = open_study(search.name, storage, out, seed=search.settings.run.seed)
    count = 30 if trials is None and budget_seconds is None else trials
    callbacks = [lambda study, trial: _tell_trial(study, trial)]
    if budget_seconds is not None:
        callbacks.append(stop_in_time(started, budget_seconds))
    study.optimize(lambda trial: _try(trial, search), n_trials=count, callbacks=callbacks, catch=(TrialError,))
    return _finish(study, search)


class TrialError(Exception):
    """A trial that did not complete; what it said last is its text."""


def _begin(name: str, source: str, out: Path, recipe: str, overrides: Sequence[str], space_file: Path | None) -> Search:
    settings = load_settings(recipe, overrides)
    space = build_default_space(settings) if space_file is None else load_space(space_file)
    check_space(space, recipe, overrides)
    search = Search(name, source, recipe, tuple(overrides), settings, space, _find_floors(settings), out)
    _claim(search)
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    table = prepare_shared_split(source, settings.data, search.split, seed=settings.run.seed, cache=cache)
    if not len(table.select("validation")):
        raise DataError(f"{source}: trials are judged on a validation split, and there is none")
    return search


def _find_floors(settings: Settings) -> frozenset[str]:
    """Name the phases that come to the same in every trial, where others follow that do not.

    A floor above all trials would make them all equal, and leave nothing to search by.
    """
    phases = settings.training.phases
    solved = frozenset(phase.name for phase in phases if phase.head_solver != "gradient")
    return solved if len(solved) < len(phases) else frozenset()


def _claim(search: Search) -> None:
    """Make the folder, or check that it holds this search."""
    plan: dict[str, Any] = {
        "format": "discern-search",
        "name": search.name,
        "source": str(Path(search.source).resolve()),
        "settings": search.settings.to_dict(),
        "space": {name: choice.model_dump(mode="json") for name, choice in search.space.items()},
    }
    claim_folder(search.out, plan, kind="search", other="another search, by another name or of other data or settings")


def _try(trial: "Trial", search: Search) -> float:
    """Train with the settings of a trial, in a process of its own; return the score of its best epoch."""
    import optuna

    overrides = [
        *search.overrides,
        *suggest_overrides(search.space, trial),
        f"data.split_file={search.split.resolve()}",
        "run.evaluate_test=false",
        "training.feature_bank=0",
    ]
    folder = RunFolder(search.out / "trials" / f"{trial.number:04d}")

    def report(history: pd.DataFrame) -> bool:
        scores = search.score(history)
        if scores.empty:
            return False
        # Of the epochs since the last look, the best of all so far.
        trial.report(float(scores.max()), len(scores) - 1)
        return trial.should_prune()

    run = run_child(search.source, folder, recipe=search.recipe, overrides=overrides, stop_when=report)
    if run.was_stopped:
        raise optuna.TrialPruned
    if run.error is not None:
        trial.set_user_attr("error", run.error)
        raise TrialError(run.error)
    scores = search.score(pd.read_csv(folder.history))
    if scores.empty:
        raise TrialError("no epoch was trained that the settings of the search could change")
    return float(scores.max())


def stop_in_time(started: float, budget_seconds: float) -> Callable[["Study", "FrozenTrial"], None]:
    """Return what ends a study when one more trial and the last training would no longer fit into the budget."""
    from optuna.trial import TrialState

    def check(study: "Study", trial: "FrozenTrial") -> None:  # noqa: ARG001 - Optuna gives the trial
        # A trial that failed may have been killed days ago, and be counted up to now.
        trained = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        durations = [found.duration.total_seconds() for found in trained if found.duration]
        if time.monotonic() - started + 2 * max(durations, default=0) > budget_seconds:
            study.stop()

    return check


def _tell_trial(study: "Study", trial: "FrozenTrial") -> None:
    settings = ", ".join(f"{name.rpartition('.')[2]}={_round(value)}" for name, value in trial.params.items())
    if trial.state.name != "COMPLETE":
        outcome = "ended early" if trial.state.name == "PRUNED" else f"failed: {trial.user_attrs.get('error', '')}"
        logger.info("trial %d %s (%s)", trial.number, outcome, settings)
    else:
        best = study.best_trial
        found = f"{trial.value:.4f} ({settings}); best so far: trial {best.number}, {best.value:.4f}"
        logger.info("trial %d: %s", trial.number, found)


def _round(value: object) -> object:
    return f"{value:.3g}" if isinstance(value, float) else value


def _finish(study: "Study", search: Search) -> pd.DataFrame:
    """Write what was found; unless other processes still search, train with the best settings and test once."""
    table = tabulate_trials(study)
    write_table(table, search.out / "trials.csv")
    if table["value"].notna().sum() == 0:
        errors = "; ".join(dict.fromkeys(filter(None, table["error"])))
        raise DataError(f"not one of {len(table)} trials completed: {errors or 'all ended early'}")
    save_figure(plot_trials(table, value_name=search.monitor.replace("_", " ")), search.out / "history.png")
    importance = measure_importance(study)
    if importance:
        save_figure(plot_importance(importance), search.out / "importance.png")
    best = study.best_trial
    found = [build_override(name, value) for name, value in best.params.items()]
    save_settings(load_settings(search.recipe, [*search.overrides, *found]), search.out / "best.toml")
    logger.info("best: trial %d with %s; its recipe is %s", best.number, " ".join(found), search.out / "best.toml")
    if (table["state"] == "running").any():
        logger.info("other processes still search; the last one to end trains with the best settings")
    else:
        _train_best(search, best.number)
    return table


def _train_best(search: Search, number: int) -> None:
    folder, record = RunFolder(search.out / "best"), search.out / "best.json"
    trained = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if folder.holds_run() and trained.get("trial") != number:
        folder.clear()
    split = f"data.split_file={search.split.resolve()}"
    run = run_child(search.source, folder, recipe=str(search.out / "best.toml"), overrides=[split])
    if run.error is not None:
        raise DataError(f"training with the best settings failed: {run.error}; see {folder.root}.log")
    write_json(record, {"trial": number, "seconds": run.seconds, "peak_bytes": run.peak_bytes, "error": None})
    metrics = json.loads((folder.evaluation / "metrics.json").read_text(encoding="utf-8"))
    for split_name, values in metrics.items():
        accuracy = values["accuracy"]
        logger.info(
            "trained again with the best settings: %s accuracy %.1f%% [%.1f, %.1f]",
            split_name,
            *(100 * accuracy[end] for end in ("value", "low", "high")),
        )
    logger.info("the search chose by validation, which flatters it; next: discern predict %s PICTURES...", folder.root)
