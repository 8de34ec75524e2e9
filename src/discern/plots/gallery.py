"""The misclassified pictures of a classifier, and those on which two classifiers disagree."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.percent import percent
from discern.plots.cells import GAP_INCHES, LINE_POINTS, CaptionLine, add_cell, draw_image, find_tallest, write_line
from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, build_figure

GALLERY_SIZE = 25
"""Largest number of pictures in a gallery."""

_COLUMNS = 5
_IMAGE_INCHES = 2.2
_TITLE_INCHES = 0.45


class Answer(NamedTuple):
    """The answer of a classifier for a picture: a class and its confidence (0..1)."""

    name: str
    confidence: float


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

    `total` is the number of all misclassified pictures; with none the figure says so.

    Raises:
        ValueError: The sequences differ in length.
    """
    rows = zip(file_names, true_names, predicted_names, confidences, strict=True)
    captions = [
        [*_name_picture(file_name, true_name), _name_answer("predicted", Answer(predicted, confidence), true_name)]
        for file_name, true_name, predicted, confidence in rows
    ]
    if not captions:
        return _write_message("No picture was misclassified.")
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
    """Show up to 25 pictures (H, W, 3), in the order given, on which A and B disagree; wrong answers are coloured.

    `total` is the number of all such pictures; with none the figure says so.

    Raises:
        ValueError: The sequences differ in length.
    """
    captions = [
        [*_name_picture(file_name, true_name), _name_answer("A", a, true_name), _name_answer("B", b, true_name)]
        for file_name, true_name, a, b in zip(file_names, true_names, answers_a, answers_b, strict=True)
    ]
    if not captions:
        return _write_message("A and B agree on every picture.")
    return _draw_gallery(images, captions, f"picture{'s' * (total != 1)} on which A and B disagree", total)


def _name_picture(file_name: str, true_name: str) -> list[CaptionLine]:
    return [CaptionLine("", file_name, "", MUTED_COLOR), CaptionLine("true ", true_name, "", "black")]


def _name_answer(who: str, answer: Answer, true_name: str) -> CaptionLine:
    color = "black" if answer.name == true_name else MISTAKE_COLOR
    return CaptionLine(f"{who} ", answer.name, f" {percent(answer.confidence, 0)}", color)


def _draw_gallery(
    images: Sequence[NDArray[np.uint8]], captions: Sequence[Sequence[CaptionLine]], title: str, total: int
) -> Figure:
    cells = list(zip(images, captions, strict=True))[:GALLERY_SIZE]
    heights = [
        _IMAGE_INCHES * find_tallest(image for image, _ in cells[start : start + _COLUMNS])
        for start in range(0, len(cells), _COLUMNS)
    ]
    figure, grid = _build_grid(len(cells), heights, caption_lines=len(captions[0]))
    for axes, (image, lines) in zip(grid, cells, strict=True):
        draw_image(axes, image)
        for place, line in enumerate(lines):
            write_line(axes, place, line)
    shown = f"{len(cells)} of {total}" if total > len(cells) else f"{total}"
    figure.suptitle(f"{shown} {title}", y=1 - 0.1 / figure.get_figheight())
    return figure


def _build_grid(count: int, heights: Sequence[float], *, caption_lines: int) -> tuple[Figure, list[Axes]]:
    """Place square cells row by row, with captions of known height between them.

    `heights` are those of the rows in inches: where all pictures are wide, the top of their cells is free.
    """
    columns = min(_COLUMNS, count)
    caption_inches = GAP_INCHES + caption_lines * LINE_POINTS / 72
    pitch_x = _IMAGE_INCHES + GAP_INCHES
    ends = _TITLE_INCHES + np.cumsum([height + caption_inches for height in heights])
    width, height = max(columns, 2) * pitch_x + GAP_INCHES, float(ends[-1])
    figure = build_figure(width, height, is_arranged=True)
    left = (width - columns * pitch_x + GAP_INCHES) / 2
    cells = []
    for index in range(count):
        row, column = divmod(index, columns)
        top = float(ends[row]) - caption_inches - _IMAGE_INCHES
        cells.append(add_cell(figure, left + column * pitch_x, top, _IMAGE_INCHES))
    return figure, cells


def _write_message(text: str) -> Figure:
    figure = build_figure(5, 1.5)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=12)
    return figure
