"""The results of a search: a table and figures of trials, the best settings as a recipe, and a run with them."""

import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from discern.config.load import load_settings, save_settings
from discern.errors import DataError, Option, name_some, option, write_python
from discern.evaluation.intervals import exact_interval
from discern.evaluation.metrics import load_metrics
from discern.files import read_json, write_json, write_table
from discern.percent import percent
from discern.plots.saving import save_figure
from discern.plots.tuning import plot_importance, plot_trials
from discern.run_folder import RunFolder
from discern.tuning.child_run import run_child
from discern.tuning.search import Search
from discern.tuning.space import build_override
from discern.tuning.study import measure_importance, tabulate_trials

if TYPE_CHECKING:
    from optuna import Study

logger = logging.getLogger("discern")


def write_trials(study: "Study", search: Search) -> pd.DataFrame:
    """Write trials.csv, history.png and, with at least five trials, importance.png; return the table of trials.

    Raises:
        DataError: No trial completed.
    """
    table = tabulate_trials(study)
    write_table(table, search.out / "trials.csv")
    if table["value"].notna().sum() == 0:
        errors = "; ".join(dict.fromkeys(filter(None, table["error"])))
        raise DataError(f"none of {len(table)} trials completed: {errors or 'all ended early'}")
    save_figure(_plot_history(table, search), search.out / "history.png")
    importance = measure_importance(study)
    if importance:
        save_figure(plot_importance(importance), search.out / "importance.png")
    return table


def _plot_history(table: pd.DataFrame, search: Search) -> Figure:
    """Draw the trials as losses, or as accuracies with their intervals."""
    shown = table[["number", "value"]].copy()
    is_loss = search.monitor == "validation_loss"
    if is_loss:
        # A search has the negative loss, since more is better in it.
        shown["value"] = -shown["value"]
    else:
        pictures = int((pd.read_csv(search.split, dtype="str")["split"] == "validation").sum())
        ends = [
            (None, None) if pd.isna(value) else exact_interval(round(value * pictures), pictures)[1:]
            for value in shown["value"]
        ]
        shown[["low", "high"]] = pd.DataFrame(ends, index=shown.index, dtype="float64")
    return plot_trials(shown, value_name=search.monitor.replace("_", " "), is_loss=is_loss)


def save_best_recipe(study: "Study", search: Search) -> None:
    """Write the settings of the best trial as the recipe best.toml."""
    best, path = study.best_trial, search.out / "best.toml"
    found = [build_override(name, value) for name, value in best.params.items()]
    save_settings(load_settings(search.recipe, [*search.overrides, *found]), path)
    logger.info("best: trial %d with %s; its recipe is %s", best.number, " ".join(found), path)
    rivals = describe_rivals(study, search)
    if rivals:
        logger.info("%s", rivals)


def _read_trial(record: Path) -> object:
    """Return the number of the trial that was trained as the best; None where that is not known."""
    try:
        content = read_json(record)
    except (OSError, ValueError):
        return None
    return content.get("trial") if isinstance(content, dict) else None


def describe_rivals(study: "Study", search: Search) -> str:
    """Return which trials have the score of the best, and how many others validation cannot tell from it; "" if none.

    Accuracies are compared with the interval of the best one; of other scores only equal ones are named.
    """
    best = study.best_trial
    values = {trial.number: trial.value for trial in study.get_trials(deepcopy=False) if trial.state.name == "COMPLETE"}
    others = {number: value for number, value in values.items() if number != best.number and value is not None}
    equal = [str(number) for number, value in others.items() if value == best.value]
    parts = []
    if equal:
        parts.append(f"{name_some(equal)} {'has' if len(equal) == 1 else 'have'} the same score: the first was taken")
    pictures = int((pd.read_csv(search.split, usecols=["split"], dtype="str")["split"] == "validation").sum())
    if search.monitor == "validation_accuracy" and pictures and best.value is not None:
        low = exact_interval(round(best.value * pictures), pictures).low
        within = sum(value >= low for value in others.values())
        if within:
            parts.append(
                f"{within} of {len(others)} others are within the 95 % interval of the best, which begins at "
                f"{percent(low)} with {pictures} validation pictures: they may be as good"
            )
    return f"trials: {'; '.join(parts)}" if parts else ""


def train_best(study: "Study", search: Search) -> None:
    """Train with best.toml and evaluate on the test split, unless this was already done for the same trial.

    Raises:
        DataError: The training failed.
    """
    number, folder, record = study.best_trial.number, RunFolder(search.out / "best"), search.out / "best.json"
    if folder.holds_run() and _read_trial(record) != number:
        folder.clear()
    split, recipe = f"data.split_file={search.split.resolve()}", str(search.out / "best.toml")
    run = run_child(search.source, folder, recipe=recipe, overrides=[split], is_one_of_many=False)
    if run.error is not None:
        raise DataError(f"training with the best settings failed: {run.error}; see {folder.root}.log")
    write_json(record, {"trial": number, "seconds": run.seconds, "peak_bytes": run.peak_bytes, "error": None})
    for split_name, metrics in load_metrics(folder.evaluation / "metrics.json").items():
        ends = (100 * end for end in metrics.accuracy)
        logger.info("trained again with the best settings: %s accuracy %.1f %% [%.1f, %.1f]", split_name, *ends)
    best = str(folder.root)
    logger.info(
        "the settings were chosen by their validation scores, which are therefore too high, as is the confidence of "
        "thresholds for %s, which does not count the choice among trials; next: %s",
        option("max_error"),
        Option(f"discern predict {shlex.quote(best)} PICTURES...", f"discern.load({write_python(best)})"),
    )
