"""The pictures that a classifier got wrong."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, build_figure, measure_points, shorten_middle

_COLUMNS = 5
_SHOWN = 25
_IMAGE_INCHES = 2.2
_GAP_INCHES = 0.25
_CAPTION_INCHES = 0.65
_TITLE_INCHES = 0.45
_FONT_POINTS = 8
_LINE_POINTS = 10


def plot_mistakes(
    images: Sequence[NDArray[np.uint8]],
    file_names: Sequence[str],
    true_names: Sequence[str],
    predicted_names: Sequence[str],
    confidences: Sequence[float],
    *,
    total: int,
) -> Figure:
    """Show up to 25 misclassified pictures (H, W, 3) in the order given, each with its names and confidence (0..1).

    `total` is the number of misclassified pictures that there are; with none the figure says so.

    Raises:
        ValueError: The sequences differ in length.
    """
    mistakes = list(zip(images, file_names, true_names, predicted_names, confidences, strict=True))[:_SHOWN]
    if not mistakes:
        return _say("No picture was misclassified.")
    figure, grid = _build_grid(len(mistakes))
    for axes, (image, file_name, true_name, predicted_name, confidence) in zip(grid, mistakes, strict=True):
        _draw_image(axes, image)
        _write_line(axes, 0, "", file_name, "", color=MUTED_COLOR)
        _write_line(axes, 1, "true ", true_name, "", color="black")
        _write_line(axes, 2, "predicted ", predicted_name, f" {100 * confidence:.0f} %", color=MISTAKE_COLOR)
    shown = f"{len(mistakes)} of {total}" if total > len(mistakes) else f"{total}"
    figure.suptitle(f"{shown} misclassified picture{'s' * (total != 1)}", y=1 - 0.1 / figure.get_figheight())
    return figure


def _build_grid(count: int) -> tuple[Figure, list[Axes]]:
    """Place square cells by the inch, row by row; the captions between them are of known height."""
    columns, rows = min(_COLUMNS, count), ceil(count / _COLUMNS)
    pitch_x, pitch_y = _IMAGE_INCHES + _GAP_INCHES, _IMAGE_INCHES + _CAPTION_INCHES
    width, height = max(columns, 2) * pitch_x + _GAP_INCHES, rows * pitch_y + _TITLE_INCHES
    figure = build_figure(width, height)
    figure.set_layout_engine("none")
    left = (width - columns * pitch_x + _GAP_INCHES) / 2
    cells = []
    for index in range(count):
        row, column = divmod(index, columns)
        bottom = height - _TITLE_INCHES - row * pitch_y - _IMAGE_INCHES
        corner = ((left + column * pitch_x) / width, bottom / height)
        axes = figure.add_axes((*corner, _IMAGE_INCHES / width, _IMAGE_INCHES / height))
        axes.set_axis_off()
        cells.append(axes)
    return figure, cells


def _say(text: str) -> Figure:
    figure = build_figure(5, 1.5)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=12)
    return figure


def _draw_image(axes: Axes, image: NDArray[np.uint8]) -> None:
    """Fit the whole picture into the unit square, standing on its caption."""
    height, width = image.shape[:2]
    longest = max(height, width)
    half_width = width / longest / 2
    axes.imshow(image, extent=(0.5 - half_width, 0.5 + half_width, 0, height / longest))
    axes.set(xlim=(0, 1), ylim=(0, 1))


def _write_line(axes: Axes, line: int, before: str, name: str, after: str, *, color: str) -> None:
    """Write a line of the caption, with the name shortened to what the width of the picture leaves it."""
    free_points = 72 * _IMAGE_INCHES - measure_points(before + after, _FONT_POINTS)
    axes.annotate(
        before + shorten_middle(name, width_points=free_points, font_points=_FONT_POINTS) + after,
        (0.5, 0),
        xycoords="axes fraction",
        xytext=(0, -3 - _LINE_POINTS * line),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=_FONT_POINTS,
        color=color,
        parse_math=False,
    )
