"""The price of fewer wrong answers: error against the share of pictures answered."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from discern.percent import percent
from discern.plots.percent import show_percent
from discern.plots.style import MUTED_COLOR, TRAIN_COLOR, build_figure, tidy_axes

_MAX_POINTS = 400
"""More points cannot be seen, and would make the SVG of a large split large."""


def plot_coverage(curve: pd.DataFrame) -> Figure:
    """Draw the error among the answers, and its upper bound, against the share of pictures answered.

    The columns of `curve`, one row per threshold, are coverage, error and error_high, all 0..1, by rising coverage.

    Raises:
        ValueError: There is no row.
    """
    if curve.empty:
        raise ValueError("expected a threshold, got none")
    rows = np.unique(np.linspace(0, len(curve) - 1, min(_MAX_POINTS, len(curve))).astype(np.int64))
    curve = curve.iloc[rows]
    figure = build_figure(6, 4.6)
    axes = figure.subplots()
    coverage = curve["coverage"]
    axes.fill_between(
        coverage,
        curve["error"],
        curve["error_high"],
        step="pre",
        color=TRAIN_COLOR,
        alpha=0.15,
        linewidth=0,
        label="up to the end of the 95 % interval",
    )
    axes.step(coverage, curve["error"], where="pre", color=TRAIN_COLOR, label="wrong answers")
    error = float(curve["error"].iloc[-1])
    all_answered = f"all answered: {percent(error)} wrong"
    axes.axhline(error, color=MUTED_COLOR, linestyle="--", linewidth=1, label=all_answered)
    axes.set(
        xlabel="share of pictures answered, the most confident first",
        ylabel="share of wrong answers",
        xlim=(0, 1),
        ylim=(0, max(1.5 * error, 0.05)),
    )
    for axis in (axes.xaxis, axes.yaxis):
        show_percent(axis)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    tidy_axes(axes)
    figure.suptitle("Wrong answers if only the most confident are given")
    return figure
