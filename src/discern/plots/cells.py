"""Square cells of a figure: a picture above the lines of its caption."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.plots.style import measure_points, shorten_middle

GAP_INCHES = 0.25
LINE_POINTS = 10

_FONT_POINTS = 8


class CaptionLine(NamedTuple):
    """A line of a caption; the name between the other two parts is shortened to the space they leave."""

    before: str
    name: str
    after: str
    color: str


def add_cell(figure: Figure, left_inches: float, top_inches: float, side_inches: float) -> Axes:
    """Add a square cell, placed by its distance from the left and the top of the figure."""
    width, height = figure.get_size_inches()
    bottom = height - top_inches - side_inches
    axes = figure.add_axes((left_inches / width, bottom / height, side_inches / width, side_inches / height))
    axes.set_axis_off()
    return axes


def draw_image(axes: Axes, image: NDArray[np.uint8]) -> None:
    """Fit the whole picture into the unit square, at its lower edge."""
    height, width = image.shape[:2]
    longest = max(height, width)
    half_width = width / longest / 2
    axes.imshow(image, extent=(0.5 - half_width, 0.5 + half_width, 0, height / longest))
    axes.set(xlim=(0, 1), ylim=(0, 1))


def find_tallest(images: Iterable[NDArray[np.uint8] | None]) -> float:
    """Return the share of a cell's height that the tallest of the pictures needs; None needs all of it."""
    return max(1.0 if image is None else min(1.0, image.shape[0] / image.shape[1]) for image in images)


def write_line(axes: Axes, place: int, line: CaptionLine) -> None:
    """Write a line of the caption, with the name shortened to the width of the cell."""
    cell_points = 72 * axes.bbox.width / axes.figure.dpi
    free_points = cell_points - measure_points(line.before + line.after, _FONT_POINTS)
    name = shorten_middle(line.name, width_points=free_points, font_points=_FONT_POINTS)
    axes.annotate(
        line.before + name + line.after,
        (0.5, 0),
        xycoords="axes fraction",
        xytext=(0, -3 - LINE_POINTS * place),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=_FONT_POINTS,
        color=line.color,
        parse_math=False,
    )
