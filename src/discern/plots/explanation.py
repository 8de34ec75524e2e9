"""One picture, maps of the evidence for its classes, and the most similar training pictures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.percent import percent
from discern.plots.cells import GAP_INCHES, LINE_POINTS, CaptionLine, add_cell, draw_image, find_tallest, write_line
from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, build_figure

_PANEL_INCHES = 3.0
_NEIGHBOUR_INCHES = 1.6
_TITLE_INCHES = 0.4
_LEGEND_INCHES = 0.45
_HEADING_INCHES = 0.35
_CAPTION_LINES = 2


class Evidence(NamedTuple):
    """A picture (H, W, 3) with the map of a class over it, and the name and confidence of that class.

    `role` is the reason why it is shown: "predicted", "true"... `confidence` is in 0..1.
    """

    overlay: NDArray[np.uint8]
    role: str
    class_name: str
    confidence: float


class Neighbour(NamedTuple):
    """A training picture (H, W, 3), None where it cannot be read; `similarity` is at most 1."""

    image: NDArray[np.uint8] | None
    name: str
    label: str
    similarity: float


def plot_explanation(
    picture: NDArray[np.uint8],
    file_name: str,
    true_name: str | None,
    evidence: Sequence[Evidence],
    neighbours: Sequence[Neighbour],
    *,
    title: str,
    legend: NDArray[np.uint8],
) -> Figure:
    """Show a picture (H, W, 3) beside the evidence for its classes; below them its neighbours, if any are given.

    `true_name` is None where it is not known; names that differ from it are coloured. `legend` (h, w, 3) has the
    colours of the maps from no evidence, at its left, to the most evidence.
    """
    panels, rows = 1 + len(evidence), len(neighbours) > 0
    # A wide picture leaves the top of its cell free; the figure is lower by that much.
    panel_inches = _PANEL_INCHES * find_tallest([picture])
    panel_row_inches = panel_inches + _CAPTION_LINES * LINE_POINTS / 72 + GAP_INCHES
    neighbour_inches = _NEIGHBOUR_INCHES * find_tallest(one.image for one in neighbours) if neighbours else 0.0
    neighbour_row_inches = _HEADING_INCHES + neighbour_inches + _CAPTION_LINES * LINE_POINTS / 72 + GAP_INCHES
    width = GAP_INCHES + max(panels * (_PANEL_INCHES + GAP_INCHES), len(neighbours) * (_NEIGHBOUR_INCHES + GAP_INCHES))
    height = _TITLE_INCHES + panel_row_inches + _LEGEND_INCHES + rows * neighbour_row_inches
    figure = build_figure(width, height, is_arranged=True)
    _write(figure, 0.15, title, size=11)
    panels_top_inches = _TITLE_INCHES + panel_inches - _PANEL_INCHES
    _draw_panels(figure, panels_top_inches, picture, file_name, true_name, evidence)
    _draw_legend(figure, _TITLE_INCHES + panel_row_inches, legend)
    if neighbours:
        top_inches = _TITLE_INCHES + panel_row_inches + _LEGEND_INCHES
        _draw_neighbours(figure, top_inches, neighbour_inches - _NEIGHBOUR_INCHES, neighbours, true_name)
    return figure


def _draw_panels(
    figure: Figure,
    top_inches: float,
    picture: NDArray[np.uint8],
    file_name: str,
    true_name: str | None,
    evidence: Sequence[Evidence],
) -> None:
    axes = add_cell(figure, GAP_INCHES, top_inches, _PANEL_INCHES)
    draw_image(axes, picture)
    write_line(axes, 0, CaptionLine("", file_name, "", MUTED_COLOR))
    if true_name is not None:
        write_line(axes, 1, CaptionLine("true ", true_name, "", "black"))
    for place, shown in enumerate(evidence, start=1):
        axes = add_cell(figure, GAP_INCHES + place * (_PANEL_INCHES + GAP_INCHES), top_inches, _PANEL_INCHES)
        draw_image(axes, shown.overlay)
        confidence = f" {percent(shown.confidence, 0)}"
        color = _color_name(shown.class_name, true_name)
        write_line(axes, 0, CaptionLine(f"{shown.role} ", shown.class_name, confidence, color))


def _draw_legend(figure: Figure, top_inches: float, legend: NDArray[np.uint8]) -> None:
    """Draw the strip of colours under the panels, with the meaning of its ends."""
    width, height = figure.get_size_inches()
    center = 1 - (top_inches + 0.1) / height
    strip_inches, bar_inches = 1.6, 0.12
    left = width / 2 - strip_inches / 2
    axes = figure.add_axes((left / width, center - bar_inches / 2 / height, strip_inches / width, bar_inches / height))
    axes.set_axis_off()
    axes.imshow(legend, aspect="auto")
    gap = 0.08
    ends = (("no evidence", left - gap, "right"), ("most evidence", left + strip_inches + gap, "left"))
    for text, place, side in ends:
        figure.text(place / width, center, text, ha=side, va="center", fontsize=8, color=MUTED_COLOR)


def _draw_neighbours(
    figure: Figure, top_inches: float, shift_inches: float, neighbours: Sequence[Neighbour], true_name: str | None
) -> None:
    _write(figure, top_inches + 0.1, "Most similar training pictures, by their features", size=10)
    for place, neighbour in enumerate(neighbours):
        left = GAP_INCHES + place * (_NEIGHBOUR_INCHES + GAP_INCHES)
        axes = add_cell(figure, left, top_inches + _HEADING_INCHES + shift_inches, _NEIGHBOUR_INCHES)
        if neighbour.image is None:
            _write_missing(axes)
        else:
            draw_image(axes, neighbour.image)
        color = _color_name(neighbour.label, true_name)
        write_line(axes, 0, CaptionLine("", neighbour.label, f" {neighbour.similarity:.2f}", color))
        write_line(axes, 1, CaptionLine("", neighbour.name, "", MUTED_COLOR))


def _color_name(name: str, true_name: str | None) -> str:
    return "black" if true_name in (None, name) else MISTAKE_COLOR


def _write_missing(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(0.5, 0.5, "file can no\nlonger be read", ha="center", va="center", fontsize=8, color=MUTED_COLOR)


def _write(figure: Figure, top_inches: float, text: str, *, size: float) -> None:
    width, height = figure.get_size_inches()
    figure.text(GAP_INCHES / width, 1 - top_inches / height, text, ha="left", va="top", fontsize=size)
