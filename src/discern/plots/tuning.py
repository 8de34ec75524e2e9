"""Results of a search for settings, and which settings made a difference."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from discern.plots.percent import show_percent
from discern.plots.style import MUTED_COLOR, TRAIN_COLOR, VALIDATION_COLOR, build_figure, tidy_axes


def plot_trials(trials: pd.DataFrame, *, value_name: str, is_loss: bool = False) -> Figure:
    """Draw the value of each complete trial, with its interval where it has one, and the best value so far.

    The columns read are number and value, NaN where a trial did not complete, and for accuracies (0..1) low and high,
    the ends of the interval; `value_name` names the axis. Of losses (`is_loss`) the lowest is the best.

    Raises:
        ValueError: No trial has a value.
    """
    complete = trials.dropna(subset=["value"]).sort_values("number")
    if complete.empty:
        raise ValueError("expected a trial with a value, got none")
    figure = build_figure(7, 4.4)
    axes = figure.subplots()
    value = complete["value"]
    best = value.cummin() if is_loss else value.cummax()
    axes.step(complete["number"], best, where="post", color=TRAIN_COLOR, label="best so far")
    if "low" in complete:
        ends = np.stack([value - complete["low"], complete["high"] - value])
        label = "trial, 95 % interval"
        axes.errorbar(complete["number"], value, yerr=ends, fmt="o", color=MUTED_COLOR, elinewidth=1, label=label)
        show_percent(axes.yaxis)
    else:
        axes.plot(complete["number"], value, "o", color=MUTED_COLOR, label="trial")
    axes.set(xlabel="trial", ylabel=value_name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
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
    show_percent(axes.xaxis, whole=True)
    tidy_axes(axes)
    figure.suptitle("Which settings mattered")
    return figure
