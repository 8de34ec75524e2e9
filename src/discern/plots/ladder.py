"""Ways of training side by side: accuracy and time of each."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, TRAIN_COLOR, build_figure, shorten_middle, tidy_axes

_NAME_POINTS = 200
_FONT_POINTS = 9


def plot_ladder(table: pd.DataFrame) -> Figure:
    """Draw accuracy, the difference to the row before, and the time of a run, one row per way of training.

    The columns read are name, accuracy, difference, each with its _low and _high, and seconds; NaN leaves a gap.

    Raises:
        ValueError: There is no row.
    """
    if table.empty:
        raise ValueError("expected a row, got none")
    figure = build_figure(11, 1.6 + 0.42 * len(table))
    accuracy, difference, seconds = figure.subplots(1, 3, sharey=True, width_ratios=(3, 3, 2))
    places = np.arange(len(table))
    draw_intervals(accuracy, table, "accuracy", TRAIN_COLOR)
    draw_intervals(difference, table, "difference", MISTAKE_COLOR)
    difference.axvline(0, color=MUTED_COLOR, linestyle="--", linewidth=1)
    seconds.barh(places, table["seconds"].fillna(0), height=0.5, color=TRAIN_COLOR, alpha=0.6)
    for axes, title in (
        (accuracy, "accuracy, 95 % interval"),
        (difference, "gain over the row above, 95 % interval"),
        (seconds, "seconds per run"),
    ):
        axes.set_title(title, fontsize=10)
        tidy_axes(axes)
    name_rows(accuracy, table["name"])
    for axes in (accuracy, difference):
        axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None, symbol=" %"))
    for axes in (accuracy, difference, seconds):
        # Few enough that their labels do not touch.
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.tick_params(axis="x", labelsize=_FONT_POINTS)
    return figure


def name_rows(axes: Axes, names: "pd.Series[str]") -> None:
    """Name the rows of a figure, the first at the top."""
    shown = [shorten_middle(name, width_points=_NAME_POINTS, font_points=_FONT_POINTS) for name in names]
    axes.set_yticks(np.arange(len(shown)), shown, fontsize=_FONT_POINTS, parse_math=False)
    axes.set_ylim(len(shown) - 0.5, -0.5)


def draw_intervals(
    axes: Axes, table: pd.DataFrame, name: str, color: str, *, shift: float = 0.0, label: str | None = None
) -> None:
    """Draw a column with its _low and _high, a dot on its interval in each row, shifted down by a part of a row."""
    middle = table[name]
    axes.errorbar(
        middle,
        np.arange(len(table)) + shift,
        xerr=np.stack([middle - table[f"{name}_low"], table[f"{name}_high"] - middle]),
        color=color,
        linestyle="none",
        marker="o",
        elinewidth=1.5,
        capsize=3,
        label=label,
    )
