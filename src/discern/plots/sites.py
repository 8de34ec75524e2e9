"""The accuracy at each site that was left out of training, beside the promise of a random split."""

import pandas as pd
from matplotlib.figure import Figure

from discern.plots.ladder import draw_intervals, name_rows
from discern.plots.percent import show_percent
from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, TRAIN_COLOR, build_figure, tidy_axes


def plot_sites(table: pd.DataFrame) -> Figure:
    """Draw a row a site: its accuracy when it was left out, and when a part of it was trained on; and the promise.

    The columns read are site, accuracy, seen and promise, each with its _low and _high; NaN leaves a gap.

    Raises:
        ValueError: There is no row.
    """
    if table.empty:
        raise ValueError("expected a row, got none")
    figure = build_figure(9, 1.7 + 0.42 * len(table))
    axes = figure.subplots()
    promise = table.iloc[0]
    axes.axvspan(promise["promise_low"], promise["promise_high"], color=TRAIN_COLOR, alpha=0.15, linewidth=0)
    axes.axvline(promise["promise"], color=TRAIN_COLOR, linestyle="--", linewidth=1.2, label="promise, random split")
    draw_intervals(axes, table, "seen", MUTED_COLOR, shift=0.16, label="a part of the site was trained on")
    draw_intervals(axes, table, "accuracy", MISTAKE_COLOR, shift=-0.16, label="the site was left out")
    name_rows(axes, table["site"])
    axes.set_title("accuracy, 95 % interval", fontsize=10)
    axes.set_xlim(-0.02, 1.02)
    show_percent(axes.xaxis, whole=True)
    tidy_axes(axes)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    return figure
