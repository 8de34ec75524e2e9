"""The pictures that a classifier got wrong, and those on which two classifiers disagree."""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, build_figure, measure_points, shorten_middle

GALLERY_SIZE = 25
"""As many pictures are shown at most."""

_COLUMNS = 5
_IMAGE_INCHES = 2.2
_GAP_INCHES = 0.25
_TITLE_INCHES = 0.45
_FONT_POINTS = 8
_LINE_POINTS = 10


class Answer(NamedTuple):
    """What a classifier said of a picture: a class and its confidence (0..1)."""

    name: str
    confidence: float


class _Line(NamedTuple):
    """A line of a caption; the name between the other two parts is shortened to what they leave it."""

    before: str
    name: str
    after: str
    color: str


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
    rows = zip(file_names, true_names, predicted_names, confidences, strict=True)
    captions = [
        [*_name_picture(file_name, true_name), _name_answer("predicted", Answer(predicted, confidence), true_name)]
        for file_name, true_name, predicted, confidence in rows
    ]
    if not captions:
        return _say("No picture was misclassified.")
    return _draw_gallery(images, captions, f"misclassified picture{'s' * (total != 1)}", total)


def plot_disagreements(
    images: Sequence[NDArray[np.uint8]],
    file_names: Sequence[str],
    true_names: Sequence[str],
    answers_a: Sequence[Answer],
    answers_b: Sequence[Answer],
    *,
    total: int,
) -> Figure:
    """Show up to 25 pictures (H, W, 3), in the order given, that A and B name differently; wrong answers are coloured.

    `total` is the number of such pictures that there are; with none the figure says so.

    Raises:
        ValueError: The sequences differ in length.
    """
    captions = [
        [*_name_picture(file_name, true_name), _name_answer("A", a, true_name), _name_answer("B", b, true_name)]
        for file_name, true_name, a, b in zip(file_names, true_names, answers_a, answers_b, strict=True)
    ]
    if not captions:
        return _say("A and B agree on every picture.")
    return _draw_gallery(images, captions, f"picture{'s' * (total != 1)} on which A and B disagree", total)


def _name_picture(file_name: str, true_name: str) -> list[_Line]:
    return [_Line("", file_name, "", MUTED_COLOR), _Line("true ", true_name, "", "black")]


def _name_answer(who: str, answer: Answer, true_name: str) -> _Line:
    color = "black" if answer.name == true_name else MISTAKE_COLOR
    return _Line(f"{who} ", answer.name, f" {100 * answer.confidence:.0f} %", color)


def _draw_gallery(
    images: Sequence[NDArray[np.uint8]], captions: Sequence[Sequence[_Line]], title: str, total: int
) -> Figure:
    cells = list(zip(images, captions, strict=True))[:GALLERY_SIZE]
    figure, grid = _build_grid(len(cells), caption_lines=len(captions[0]))
    for axes, (image, lines) in zip(grid, cells, strict=True):
        _draw_image(axes, image)
        for place, line in enumerate(lines):
            _write_line(axes, place, line)
    shown = f"{len(cells)} of {total}" if total > len(cells) else f"{total}"
    figure.suptitle(f"{shown} {title}", y=1 - 0.1 / figure.get_figheight())
    return figure


def _build_grid(count: int, *, caption_lines: int) -> tuple[Figure, list[Axes]]:
    """Place square cells by the inch, row by row; the captions between them are of known height."""
    columns, rows = min(_COLUMNS, count), ceil(count / _COLUMNS)
    caption_inches = _GAP_INCHES + caption_lines * _LINE_POINTS / 72
    pitch_x, pitch_y = _IMAGE_INCHES + _GAP_INCHES, _IMAGE_INCHES + caption_inches
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


def _write_line(axes: Axes, place: int, line: _Line) -> None:
    """Write a line of the caption, with the name shortened to what the width of the picture leaves it."""
    free_points = 72 * _IMAGE_INCHES - measure_points(line.before + line.after, _FONT_POINTS)
    name = shorten_middle(line.name, width_points=free_points, font_points=_FONT_POINTS)
    axes.annotate(
        line.before + name + line.after,
        (0.5, 0),
        xycoords="axes fraction",
        xytext=(0, -3 - _LINE_POINTS * place),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=_FONT_POINTS,
        color=line.color,
        parse_math=False,
    )
