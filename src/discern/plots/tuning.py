"""Results of a search for settings, and which settings made a difference."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from discern.plots.style import MUTED_COLOR, TRAIN_COLOR, VALIDATION_COLOR, build_figure, tidy_axes


def plot_trials(trials: pd.DataFrame, *, value_name: str) -> Figure:
    """Draw the value of each complete trial, and the best value so far.

    The columns read are number and value, NaN where a trial did not complete; `value_name` names the axis.

    Raises:
        ValueError: No trial has a value.
    """
    complete = trials.dropna(subset=["value"]).sort_values("number")
    if complete.empty:
        raise ValueError("expected a trial with a value, got none")
    figure = build_figure(7, 4)
    axes = figure.subplots()
    axes.plot(complete["number"], complete["value"], "o", color=MUTED_COLOR, label="trial")
    best = complete["value"].cummax()
    axes.step(complete["number"], best, where="post", color=TRAIN_COLOR, label="best so far")
    axes.set(xlabel="trial", ylabel=value_name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(frameon=False, loc="lower right")
    tidy_axes(axes)
    figure.suptitle(f"{len(complete)} of {len(trials)} trials complete")
    return figure


def plot_importance(importance: Mapping[str, float]) -> Figure:
    """Draw how much of the differences between trials (0..1) each setting explains.

    Raises:
        ValueError: There is no setting.
    """
    if not importance:
        raise ValueError("expected a setting, got none")
    ordered = sorted(importance.items(), key=lambda item: item[1])
    figure = build_figure(7, 1.2 + 0.35 * len(ordered))
    axes = figure.subplots()
    axes.barh(np.arange(len(ordered)), [value for _, value in ordered], color=VALIDATION_COLOR, height=0.6)
    axes.set_yticks(np.arange(len(ordered)), [name.removeprefix("training.") for name, _ in ordered], parse_math=False)
    axes.set(xlabel="share of the differences between trials", xlim=(0, 1))
    tidy_axes(axes)
    figure.suptitle("Which settings mattered")
    return figure
