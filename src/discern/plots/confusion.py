"""The confusion matrix."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from discern.plots.style import build_figure, measure_points, shorten_middle

_NAME_POINTS = 200
_SMALLEST_FONT_POINTS = 6.0


def plot_confusion(matrix: NDArray[np.int64], class_names: Sequence[str], *, normalized: bool) -> Figure:
    """Draw the confusion matrix (K, K), true classes in rows, as counts or as percent of each row and its count.

    Correct answers, on the diagonal, are blue and wrong ones orange.

    The figure grows with K; numbers are written where they fit, names are shortened in the middle, and beyond about 150
    classes only every n-th is named. A class without pictures has no percentages: its row stays grey.

    Raises:
        ValueError: The matrix is not (K, K) for K names.
    """
    num_classes = len(class_names)
    if matrix.shape != (num_classes, num_classes):
        raise ValueError(f"expected a matrix {(num_classes, num_classes)}, got {matrix.shape}")
    cell_inches = min(max(8 / num_classes, 0.15), 1.2, 22 / num_classes)
    cell_points = 72 * cell_inches
    font_points = min(max(0.75 * cell_points, _SMALLEST_FONT_POINTS), 10)
    names = [shorten_middle(name, width_points=_NAME_POINTS, font_points=font_points) for name in class_names]
    longest_points = max(measure_points(name, font_points) for name in names)
    flat = longest_points <= cell_points
    side, margin = cell_inches * num_classes, 0.5 + longest_points / 72
    figure = build_figure(max(side + margin + 1.2, 4.5), side + (1.1 if flat else margin + 0.6))
    # Keeps the labels of square cells inside the figure, which the layout of free cells does not.
    figure.set_layout_engine("compressed")
    axes = figure.subplots()
    _draw_cells(axes, matrix, normalized=normalized, cell_points=cell_points)
    step = ceil(1.15 * font_points / cell_points)
    middles = np.arange(0, num_classes, step) + 0.5
    axes.set_xticks(middles, names[::step], rotation=0 if flat else 90, fontsize=font_points, parse_math=False)
    rows = [f"{name} ({count})" for name, count in zip(names, matrix.sum(axis=1), strict=True)] if normalized else names
    axes.set_yticks(middles, rows[::step], fontsize=font_points, parse_math=False)
    axes.tick_params(length=0)
    figure.suptitle("Confusion matrix, " + ("percent of each true class" if normalized else "number of pictures"))
    axes.set(xlabel="predicted", ylabel="true (pictures)" if normalized else "true")
    return figure


def _draw_cells(axes: Axes, matrix: NDArray[np.int64], *, normalized: bool, cell_points: float) -> None:
    counts = matrix.sum(axis=1, keepdims=True)
    shown = 100 * matrix / np.maximum(counts, 1) if normalized else matrix
    empty = np.broadcast_to(counts == 0, matrix.shape) & normalized
    largest = 100 if normalized else max(int(matrix.max()), 1)
    # The root lifts a single mistake out of the background.
    shades = np.sqrt(shown / largest)
    is_right = np.eye(len(matrix), dtype=bool)
    for hidden, colors in ((~is_right, "Blues"), (is_right, "Oranges")):
        mesh = axes.pcolormesh(
            np.ma.masked_array(shown, empty | hidden),
            norm=PowerNorm(0.5, vmin=0, vmax=largest),
            cmap=colors,
            edgecolors="0.9" if cell_points > _SMALLEST_FONT_POINTS else "none",
            linewidth=0.5,
        )
    axes.set(aspect="equal", facecolor="0.85")
    axes.invert_yaxis()
    label = ("% of the true class" if normalized else "pictures") + ", wrong (blue: correct)"
    side_inches = cell_points * len(matrix) / 72
    fraction = min(0.15, 0.6 / side_inches)
    axes.figure.colorbar(
        mesh, ax=axes, shrink=0.6, fraction=fraction, label=label, ticks=MaxNLocator(nbins=5, integer=True)
    )
    _write_cells(axes, shades, [[f"{value:.0f}" for value in row] for row in shown], cell_points)


def _write_cells(axes: Axes, shades: NDArray[np.float64], texts: Sequence[Sequence[str]], cell_points: float) -> None:
    """Write the numbers where all fit; zeros stay blank, so that mistakes are easy to see."""
    digits = max(len(text) for row in texts for text in row)
    font_points = min(0.85 * cell_points / max(measure_points("0" * digits, 1), 1.5), 13)
    if font_points < _SMALLEST_FONT_POINTS:
        return
    for row, column in np.argwhere(shades > 0):
        color = "white" if shades[row, column] > 0.55 else "black"
        text = texts[row][column]
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=font_points, color=color)
