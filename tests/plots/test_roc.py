"""Both curves of two classes."""

import io

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from discern.plots.roc import plot_roc


def make_figure(class_name: str = "bee") -> Figure:
    return plot_roc(
        np.array([0, 0, 0.5, 1]),
        np.array([0, 0.5, 1, 1]),
        np.array([1, 1, 0.5, 0]),
        np.array([0.4, 0.6, 1, 1]),
        class_name=class_name,
        prevalence=0.4,
        roc_auc=0.875,
        average_precision=0.8,
    )


def test_both_curves_are_drawn_with_their_areas_and_with_chance() -> None:
    roc, precision_recall = make_figure().axes
    assert np.array_equal(roc.lines[0].get_xydata(), [[0, 0], [0, 0.5], [0.5, 1], [1, 1]])
    assert np.array_equal(precision_recall.lines[0].get_xdata(), [1, 1, 0.5, 0])
    assert set(np.ravel(precision_recall.lines[1].get_ydata())) == {0.4}
    assert roc.get_title() == "ROC, area 0.875"
    assert precision_recall.get_title() == "Precision and recall, average precision 0.800"


@pytest.mark.parametrize("class_name", ["bee", r"$\broken$", "x" * 300])
def test_the_class_is_named_whatever_its_name(class_name: str) -> None:
    figure = make_figure(class_name)
    figure.savefig(io.BytesIO(), dpi=40, format="png")
    assert pyplot.get_fignums() == []
    assert figure.get_suptitle().startswith(f"Class {class_name[:2]}")
    assert len(figure.get_suptitle()) < 60
