"""The confusion matrix from one class to hundreds."""

import io
import re

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from discern.plots.confusion import plot_confusion


def make_matrix(num_classes: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    return rng.poisson(0.1, size=(num_classes, num_classes)) + np.diag(rng.integers(5, 60, num_classes))


def names_on(axes: Axes) -> list[str]:
    rows = [re.sub(r" \(\d+\)$", "", text.get_text()) for text in axes.get_yticklabels()]
    assert [text.get_text() for text in axes.get_xticklabels()] == rows
    return rows


def render(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=40, format="png")
    assert pyplot.get_fignums() == []
    return Image.open(buffer).convert("L")


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("num_classes", [2, 17, 100])
def test_every_class_is_named_and_the_figure_has_content(num_classes: int, *, normalized: bool) -> None:
    names = [f"class {index}" for index in range(num_classes)]
    figure = plot_confusion(make_matrix(num_classes), names, normalized=normalized)
    axes = figure.axes[0]
    assert names_on(axes) == names
    assert axes.get_xlabel() == "predicted"
    assert axes.get_ylabel() == ("true (pictures)" if normalized else "true")
    assert np.asarray(render(figure)).std() > 5


@pytest.mark.parametrize("name", ["x", "automobile", "a long name of one more kind of bird"])
@pytest.mark.parametrize("num_classes", [2, 5, 10, 40])
def test_nothing_lies_outside_the_figure(num_classes: int, name: str) -> None:
    figure = plot_confusion(make_matrix(num_classes), [name] * num_classes, normalized=True)
    figure.draw_without_rendering()
    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert min(drawn.x0, drawn.y0) >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height


def test_the_scale_shows_whole_pictures() -> None:
    figure = plot_confusion(np.array([[1, 1], [0, 2]]), ["a", "b"], normalized=False)
    figure.draw_without_rendering()
    assert all(tick == round(tick) for tick in figure.axes[1].get_yticks())


def test_counts_are_written_and_zeros_stay_blank() -> None:
    axes = plot_confusion(np.array([[8, 2], [0, 1000]]), ["ant", "bee"], normalized=False).axes[0]
    assert {(*text.get_position(), text.get_text()) for text in axes.texts} == {
        (0.5, 0.5, "8"), (1.5, 0.5, "2"), (1.5, 1.5, "1000"),
    }  # fmt: skip


def test_the_true_class_reads_from_top_to_bottom() -> None:
    axes = plot_confusion(make_matrix(3), ["a", "b", "c"], normalized=False).axes[0]
    assert axes.get_ylim() == (3, 0)
    assert axes.get_xlim() == (0, 3)


def test_normalized_rows_are_percent_and_an_absent_class_is_grey() -> None:
    figure = plot_confusion(np.array([[8, 2, 0], [0, 3, 0], [0, 0, 0]]), ["a", "b", "c"], normalized=True)
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["100", "20", "80"]
    right, wrong = (~np.ma.getmaskarray(mesh.get_array()).reshape(3, 3) for mesh in axes.collections)
    assert not (right | wrong)[2].any()
    assert (right | wrong).sum() == 6
    assert "percent" in figure.get_suptitle()


def test_wrong_answers_have_another_colour_than_right_ones() -> None:
    axes = plot_confusion(np.array([[8, 8], [0, 3]]), ["a", "b"], normalized=False).axes[0]
    right, wrong = axes.collections
    assert not np.ma.getmaskarray(right.get_array()).reshape(2, 2).diagonal().any()
    assert np.ma.getmaskarray(wrong.get_array()).reshape(2, 2).diagonal().all()
    colors = [mesh.get_cmap()(1.0) for mesh in (right, wrong)]
    assert colors[0][2] > colors[0][0]
    assert colors[1][0] > colors[1][2]


def test_percentages_come_with_the_number_of_pictures() -> None:
    axes = plot_confusion(np.array([[2, 4], [0, 3]]), ["ant", "bee"], normalized=True).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["ant (6)", "bee (3)"]


def test_numbers_and_names_are_left_out_only_where_they_do_not_fit() -> None:
    figure = plot_confusion(np.diag(np.full(100, 12345)), [str(index) for index in range(100)], normalized=False)
    assert len(figure.axes[0].texts) == 0
    assert len(names_on(figure.axes[0])) == 100
    many = plot_confusion(make_matrix(400), [str(index) for index in range(400)], normalized=False)
    named = names_on(many.axes[0])
    assert named == [str(index) for index in range(0, 400, int(named[1]))]
    assert 100 < len(named) < 400


def test_the_figure_grows_with_the_classes_up_to_a_limit() -> None:
    widths = [
        plot_confusion(make_matrix(count), ["x"] * count, normalized=False).get_figwidth()
        for count in (2, 20, 100, 500)
    ]
    assert widths == sorted(widths)
    assert widths[-1] < 26


def test_long_names_lose_their_middle_and_signs_stay_as_they_are() -> None:
    names = ["Passer domesticus, the house sparrow of European towns", r"$x_1$ and $\broken$"]
    figure = plot_confusion(make_matrix(2), names, normalized=False)
    long, dollars = names_on(figure.axes[0])
    assert long.startswith("Passer dom")
    assert long.endswith("towns")
    assert "…" in long
    assert dollars == names[1]
    render(figure)


def test_a_matrix_without_a_single_picture_is_drawn() -> None:
    for normalized in (False, True):
        figure = plot_confusion(np.zeros((2, 2), dtype=np.int64), ["a", "b"], normalized=normalized)
        render(figure)
        assert not any(text.get_text().strip("0 .%") for text in figure.axes[0].texts)


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"matrix \(3, 3\), got \(2, 2\)"):
        plot_confusion(make_matrix(2), ["a", "b", "c"], normalized=False)
