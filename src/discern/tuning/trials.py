"""Runs the trials of a search, each in its own process, so that it can end early or fail alone."""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pandas as pd

from discern.planning.plan import load_plan
from discern.run_folder import RunFolder
from discern.training.history import load_history
from discern.tuning.child_run import run_child
from discern.tuning.search import Search
from discern.tuning.space import suggest_overrides

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

logger = logging.getLogger("discern")

_DEFAULT_TRIALS = 30


class TrialError(Exception):
    """A trial failed; the message is the last line of its log."""


def run_trials(
    study: "Study", search: Search, *, trials: int | None, budget_seconds: float | None, started: float
) -> None:
    """Run trials until their number or the budget is reached; 30 if neither is given.

    Args:
        study: Proposes and records trials.
        search: What all trials have in common.
        trials: Number of trials.
        budget_seconds: Time limit for all trials and the training with the best settings.
        started: Value of `time.monotonic()` at which the budget began.
    """
    count = _DEFAULT_TRIALS if trials is None and budget_seconds is None else trials
    callbacks: list[Callable[[Study, FrozenTrial], None]] = [_log_trial]
    if budget_seconds is not None:
        callbacks.append(stop_in_time(started, budget_seconds))
    study.optimize(lambda trial: _run_trial(trial, search), n_trials=count, callbacks=callbacks, catch=(TrialError,))


def stop_in_time(started: float, budget_seconds: float) -> Callable[["Study", "FrozenTrial"], None]:
    """Return a callback that ends a study when one more trial and the last training no longer fit into the budget."""
    from optuna.trial import TrialState

    def check(study: "Study", trial: "FrozenTrial") -> None:  # noqa: ARG001 - Optuna gives the trial
        # The duration of a failed trial may include the days since it was killed.
        trained = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        durations = [found.duration.total_seconds() for found in trained if found.duration]
        if time.monotonic() - started + 2 * max(durations, default=0) > budget_seconds:
            study.stop()

    return check


def _run_trial(trial: "Trial", search: Search) -> float:
    """Train with the settings of a trial; return the score of the epoch that is kept."""
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
        # Several epochs may have ended since the last report, so the best score so far is reported.
        trial.report(float(scores.max()), len(scores) - 1)
        return trial.should_prune()

    run = run_child(search.source, folder, recipe=search.recipe, overrides=overrides, stop_when=report)
    if run.was_stopped:
        raise optuna.TrialPruned
    if run.error is not None:
        trial.set_user_attr("error", run.error)
        raise TrialError(run.error)
    scores = search.score(load_history(folder.history))
    if scores.empty:
        raise TrialError("no epoch was trained in a phase that the settings of the search change")
    keeps_last = load_plan(folder.plan).phases[-1].keep == "last"
    return float(scores.iloc[-1] if keeps_last else scores.max())


def _log_trial(study: "Study", trial: "FrozenTrial") -> None:
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
