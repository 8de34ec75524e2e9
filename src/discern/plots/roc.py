"""ROC and precision-recall curves of one of two classes."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.plots.percent import show_percent
from discern.plots.style import MUTED_COLOR, TRAIN_COLOR, build_figure, shorten_middle, tidy_axes

_NAME_POINTS = 200
_FONT_POINTS = 12


def plot_roc(
    false_positive_rates: NDArray[np.float64],
    true_positive_rates: NDArray[np.float64],
    recalls: NDArray[np.float64],
    precisions: NDArray[np.float64],
    *,
    class_name: str,
    prevalence: float,
    roc_auc: float,
    average_precision: float,
) -> Figure:
    """Draw the ROC curve and the precision-recall curve of a class side by side, each with the line of a random answer.

    The first two arrays are the points of one curve, the others those of the other, by falling recall as
    scikit-learn returns them. `prevalence` is the class's share of the pictures.
    """
    figure = build_figure(11, 5.2)
    roc, precision_recall = figure.subplots(1, 2)
    roc.plot(false_positive_rates, true_positive_rates, color=TRAIN_COLOR)
    roc.plot([0, 1], [0, 1], color=MUTED_COLOR, linestyle="--", linewidth=1, label="random answers")
    roc.set(title=f"ROC, area {roc_auc:.3f}", xlabel="false positive rate", ylabel="recall (true positive rate)")
    precision_recall.plot(recalls, precisions, color=TRAIN_COLOR, drawstyle="steps-post")
    precision_recall.axhline(prevalence, color=MUTED_COLOR, linestyle="--", linewidth=1, label="random answers")
    precision_recall.set(
        title=f"Precision and recall, average precision {average_precision:.3f}",
        xlabel="recall",
        ylabel="precision",
    )
    for axes in (roc, precision_recall):
        _scale_axes(axes)
    name = shorten_middle(class_name, width_points=_NAME_POINTS, font_points=_FONT_POINTS)
    figure.suptitle(f"Class {name}", fontsize=_FONT_POINTS, parse_math=False)
    return figure


def _scale_axes(axes: Axes) -> None:
    """Show both axes whole in percent, with room for lines along the edge."""
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        show_percent(axis, whole=True)
    tidy_axes(axes)
    axes.legend(loc="lower right", frameon=False)
