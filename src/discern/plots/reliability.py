"""Whether answers are correct as often as their confidence says."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from discern.percent import percent
from discern.plots.percent import show_percent
from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, TRAIN_COLOR, build_figure, tidy_axes


def plot_reliability(bins: pd.DataFrame, *, calibration_error: float | None) -> Figure:
    """Draw accuracy against confidence, one point per bin, and below it the number of pictures in each bin.

    The columns of `bins`, one row per bin, are its edges low and high, count, confidence (the mean), accuracy and
    the ends of its interval, accuracy_low and accuracy_high, all 0..1; a bin without pictures is left out.
    `calibration_error` (0..1) is shown in the title, if it is known.

    Raises:
        ValueError: No bin has a picture.
    """
    filled = bins[bins["count"] > 0]
    if filled.empty:
        raise ValueError("expected a bin with pictures, got none")
    figure = build_figure(6, 7.2)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_accuracies(upper, filled)
    lower.bar(
        bins["low"],
        bins["count"],
        width=bins["high"] - bins["low"],
        align="edge",
        color=TRAIN_COLOR,
        alpha=0.6,
        edgecolor="white",
    )
    lower.set(xlabel="confidence", ylabel="pictures", xlim=(0, 1))
    lower.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    show_percent(lower.xaxis, whole=True)
    for axes in (upper, lower):
        tidy_axes(axes)
    error = "" if calibration_error is None else f": expected calibration error {percent(calibration_error)}"
    figure.suptitle(f"Reliability{error}")
    return figure


def _draw_accuracies(axes: Axes, filled: pd.DataFrame) -> None:
    """Draw the points with their intervals and, in another colour, how far each is from the diagonal."""
    confidence, accuracy = filled["confidence"].to_numpy(), filled["accuracy"].to_numpy()
    axes.plot([0, 1], [0, 1], color=MUTED_COLOR, linestyle="--", linewidth=1, label="accuracy equals confidence")
    axes.vlines(confidence, confidence, accuracy, color=MISTAKE_COLOR, linewidth=5, alpha=0.35, label="gap")
    axes.errorbar(
        confidence,
        accuracy,
        yerr=np.stack([accuracy - filled["accuracy_low"], filled["accuracy_high"] - accuracy]),
        color=TRAIN_COLOR,
        linestyle="none",
        marker="o",
        elinewidth=1.2,
        capsize=3,
        label="accuracy, 95 % interval",
    )
    axes.set(ylabel="accuracy", ylim=(0, 1.02))
    show_percent(axes.yaxis, whole=True)
    axes.legend(loc="upper left", frameon=False)
