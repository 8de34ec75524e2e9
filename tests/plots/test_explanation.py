"""The figure of an explained picture: captions, rows and what is missing."""

import io

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from discern.plots.explanation import Evidence, Neighbour, plot_explanation
from discern.plots.style import MISTAKE_COLOR

LEGEND = np.zeros((1, 256, 3), dtype=np.uint8)


def draw(*, true_name: str | None = "ant", neighbours: int = 0, shape: tuple[int, int] = (20, 30)) -> Figure:
    picture = np.full((*shape, 3), 90, dtype=np.uint8)
    evidence = [Evidence(picture, "predicted", "bee", 0.934), Evidence(picture, "true", "ant", 0.066)]
    known = [Neighbour(picture if place else None, f"{place}.jpg", "bee", 0.5) for place in range(neighbours)]
    return plot_explanation(picture, "x.jpg", true_name, evidence, known, title="Evidence by grad-cam", legend=LEGEND)


def captions(figure: Figure) -> list[list[str]]:
    return [[text.get_text() for text in axes.texts] for axes in figure.axes]


def render(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100, format="png")
    assert pyplot.get_fignums() == []
    return Image.open(buffer).convert("RGB")


def test_the_picture_stands_beside_its_maps() -> None:
    figure = draw()
    assert captions(figure) == [["x.jpg", "true ant"], ["predicted bee 93 %"], ["true ant 7 %"], []]
    assert figure.axes[1].texts[0].get_color() == MISTAKE_COLOR
    assert figure.axes[2].texts[0].get_color() == "black"
    assert [text.get_text() for text in figure.texts] == ["Evidence by grad-cam", "no evidence", "most evidence"]
    assert render(figure).width > 900


def test_a_name_of_two_lines_is_written_in_one() -> None:
    picture = np.zeros((20, 30, 3), dtype=np.uint8)
    figure = plot_explanation(picture, "a\nb.jpg", "ant", [], [], title="", legend=LEGEND)
    assert captions(figure)[0] == ["a b.jpg", "true ant"]
    render(figure)


def test_an_unknown_truth_is_neither_named_nor_held_against_an_answer() -> None:
    figure = draw(true_name=None)
    assert captions(figure)[0] == ["x.jpg"]
    assert figure.axes[1].texts[0].get_color() == "black"


def test_neighbours_stand_below_and_those_that_are_gone_are_named() -> None:
    figure = draw(neighbours=3)
    assert captions(figure)[4] == ["file can no\nlonger be read", "bee 0.50", "0.jpg"]
    assert captions(figure)[5] == ["bee 0.50", "1.jpg"]
    assert "Most similar training pictures, by their features" in [text.get_text() for text in figure.texts]
    render(figure)
    assert max(axes.bbox.y1 for axes in figure.axes[4:]) < min(axes.bbox.y0 for axes in figure.axes[:4])


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (5, 60), (60, 5)])
@pytest.mark.parametrize("neighbours", [0, 8])
def test_nothing_runs_over_the_edge_or_into_the_title(shape: tuple[int, int], neighbours: int) -> None:
    figure = draw(shape=shape, neighbours=neighbours)
    render(figure)
    width, height = figure.bbox.size
    title = figure.texts[0].get_window_extent()
    for axes in figure.axes:
        for text in axes.texts:
            extent = text.get_window_extent()
            assert extent.x0 >= 0
            assert extent.x1 <= width
            assert extent.y0 >= 0
            assert extent.y1 <= height
        for image in axes.images:
            assert image.get_window_extent().y1 < title.y0
