"""The gallery of mistakes: captions, limits and pictures of any shape."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from discern.plots.gallery import Answer, plot_disagreements, plot_mistakes


def make_gallery(count: int, *, total: int | None = None, name: str = "bee") -> Figure:
    images = [np.full((20, 30, 3), 10 * index % 256, dtype=np.uint8) for index in range(count)]
    files = [f"{index}.jpg" for index in range(count)]
    return plot_mistakes(
        images, files, ["ant"] * count, [name] * count, [0.934] * count, total=count if total is None else total
    )


def caption_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def render(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, format="png")
    assert pyplot.get_fignums() == []
    return Image.open(buffer).convert("RGB")


def test_each_picture_has_its_file_its_names_and_its_confidence() -> None:
    figure = make_gallery(3)
    assert [caption_of(axes) for axes in figure.axes] == [
        [f"{index}.jpg", "true ant", "predicted bee 93 %"] for index in range(3)
    ]
    assert figure.get_suptitle() == "3 misclassified pictures"
    assert render(figure).size[0] > 500


@pytest.mark.parametrize(("count", "cells"), [(1, 1), (5, 5), (6, 6), (25, 25), (40, 25)])
def test_at_most_25_pictures_are_shown(count: int, cells: int) -> None:
    assert len(make_gallery(count).axes) == cells


def test_the_title_tells_how_many_there_are() -> None:
    assert make_gallery(25, total=131).get_suptitle() == "25 of 131 misclassified pictures"
    assert make_gallery(40).get_suptitle() == "25 of 40 misclassified pictures"
    assert make_gallery(1).get_suptitle() == "1 misclassified picture"


def test_no_mistake_is_said_in_words() -> None:
    figure = make_gallery(0)
    assert [text.get_text() for text in figure.texts] == ["No picture was misclassified."]
    assert np.asarray(render(figure)).min() < 100


def test_disagreements_show_both_answers_and_colour_the_wrong_ones() -> None:
    images = [np.zeros((20, 30, 3), dtype=np.uint8)] * 2
    answers_a, answers_b = [Answer("ant", 0.6), Answer("cow", 0.5)], [Answer("bee", 0.93), Answer("bee", 0.4)]
    figure = plot_disagreements(images, ["1.jpg", "2.jpg"], ["ant", "ant"], answers_a, answers_b, total=31)
    assert [caption_of(axes) for axes in figure.axes] == [
        ["1.jpg", "true ant", "A ant 60 %", "B bee 93 %"],
        ["2.jpg", "true ant", "A cow 50 %", "B bee 40 %"],
    ]
    right, wrong = (figure.axes[0].texts[place].get_color() for place in (2, 3))
    assert right == "black" != wrong
    assert figure.axes[1].texts[2].get_color() == figure.axes[1].texts[3].get_color() == wrong
    assert figure.get_suptitle() == "2 of 31 pictures on which A and B disagree"


def test_captions_of_four_lines_do_not_run_into_the_next_row() -> None:
    images = [np.zeros((20, 20, 3), dtype=np.uint8)] * 10
    answers = [Answer("bee", 0.5)] * 10
    figure = plot_disagreements(images, ["x.jpg"] * 10, ["ant"] * 10, answers, answers, total=10)
    render(figure)
    for upper, lower in zip(figure.axes[:5], figure.axes[5:], strict=True):
        assert upper.texts[-1].get_window_extent().y0 > lower.get_window_extent().y1
        assert lower.texts[-1].get_window_extent().y0 > 0


def test_agreement_is_said_in_words() -> None:
    figure = plot_disagreements([], [], [], [], [], total=0)
    assert [text.get_text() for text in figure.texts] == ["A and B agree on every picture."]


@pytest.mark.parametrize("name", ["W" * 60, r"$\broken$", "x" * 200])
def test_long_captions_stay_within_their_cell(name: str) -> None:
    figure = make_gallery(7, name=name)
    render(figure)
    for axes in figure.axes:
        cell = axes.get_window_extent()
        for text in axes.texts:
            extent = text.get_window_extent()
            assert extent.x0 > cell.x0 - 10
            assert extent.x1 < cell.x1 + 10
            assert extent.y0 > 0
        assert caption_of(axes)[2].endswith(" 93 %")


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (1, 300), (32, 32)])
def test_pictures_keep_their_shape(shape: tuple[int, int]) -> None:
    figure = plot_mistakes([np.zeros((*shape, 3), dtype=np.uint8)], ["a.jpg"], ["a"], ["b"], [1.0], total=1)
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert (right - left) / (top - bottom) == pytest.approx(shape[1] / shape[0])
    assert max(right - left, top - bottom) == 1
    cell = figure.axes[0].get_window_extent()
    assert cell.width == pytest.approx(cell.height)


def test_colours_are_drawn_as_they_are() -> None:
    red = np.zeros((30, 30, 3), dtype=np.uint8)
    red[..., 0] = 255
    drawn = render(plot_mistakes([red], ["a.jpg"], ["a"], ["b"], [0.5], total=1))
    colors = {color for _, color in drawn.getcolors(maxcolors=1 << 24) or []}
    assert (255, 0, 0) in colors


def test_sequences_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        plot_mistakes([np.zeros((4, 4, 3), dtype=np.uint8)], ["a.jpg"], ["a"], ["b", "c"], [0.5], total=1)


def test_real_photos_fill_the_grid(shared_data: Path) -> None:
    paths = sorted((shared_data / "hymenoptera" / "val").rglob("*.jpg"))[:6]
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(np.asarray(image.convert("RGB").reduce(4)))
    names = [path.name for path in paths]
    figure = plot_mistakes(images, names, ["ants"] * 6, ["bees"] * 6, [0.5] * 6, total=6)
    assert np.asarray(render(figure)).std() > 30
