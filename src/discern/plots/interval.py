"""One fraction with its interval, on a scale from 0 to 100 %."""

from matplotlib.figure import Figure

from discern.plots.percent import show_percent
from discern.plots.style import MISTAKE_COLOR, TRAIN_COLOR, build_figure

_EDGE = 0.08
"""Nearer to an end of the scale than this, the name of the baseline is aligned with its line."""


def plot_interval(value: float, low: float, high: float, *, baseline: float | None, name: str = "baseline") -> Figure:
    """Draw a fraction (0..1) as a dot on the bar of its interval, and the `name`d value to compare it with, if any.

    Raises:
        ValueError: The value does not lie in the interval, or the interval not in 0..1.
    """
    if not 0 <= low <= value <= high <= 1:
        raise ValueError(f"expected 0 <= low <= value <= high <= 1, got {low}, {value}, {high}")
    figure = build_figure(6, 0.95)
    axes = figure.subplots()
    axes.barh(0, 1, height=0.5, color="0.92")
    axes.barh(0, high - low, left=low, height=0.9, color=TRAIN_COLOR, alpha=0.4)
    axes.plot([value], [0], "o", color=TRAIN_COLOR, markersize=9, markeredgecolor="white")
    if baseline is not None:
        axes.plot([baseline, baseline], [-0.6, 0.75], color=MISTAKE_COLOR, linestyle="--", linewidth=1.5)
        side = "left" if baseline < _EDGE else "right" if baseline > 1 - _EDGE else "center"
        axes.text(baseline, 0.85, name, ha=side, va="bottom", fontsize=10, color=MISTAKE_COLOR)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.65, 1.7), yticks=[])
    show_percent(axes.xaxis, whole=True)
    axes.spines[:].set_visible(False)
    return figure
