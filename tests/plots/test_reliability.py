"""The reliability diagram: a point for each bin that has pictures."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from discern.plots.reliability import plot_reliability

BINS = pd.DataFrame(
    {
        "low": [0.0, 0.25, 0.5, 0.75],
        "high": [0.25, 0.5, 0.75, 1.0],
        "count": [0, 4, 10, 20],
        "confidence": [np.nan, 0.4, 0.6, 0.9],
        "accuracy": [np.nan, 0.5, 0.6, 0.7],
        "accuracy_low": [np.nan, 0.15, 0.31, 0.48],
        "accuracy_high": [np.nan, 0.85, 0.83, 0.85],
    }
)


def render(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=60, format="png")
    assert pyplot.get_fignums() == []
    return Image.open(buffer).convert("L")


def test_bins_with_pictures_are_points_with_their_intervals() -> None:
    figure = plot_reliability(BINS, calibration_error=0.1234)
    upper, lower = figure.axes
    (points, _, (bars,)) = upper.containers[0]
    assert np.array_equal(points.get_xydata(), [[0.4, 0.5], [0.6, 0.6], [0.9, 0.7]])
    ends = np.array([bar[:, 1] for bar in bars.get_segments()])
    assert ends == pytest.approx(np.array([[0.15, 0.85], [0.31, 0.83], [0.48, 0.85]]))
    assert (upper.get_ylabel(), lower.get_xlabel(), lower.get_ylabel()) == ("accuracy", "confidence", "pictures")
    assert figure.get_suptitle() == "Reliability: expected calibration error 12.3 %"
    assert np.asarray(render(figure)).std() > 5


def test_below_stands_how_many_pictures_each_bin_has() -> None:
    lower = plot_reliability(BINS, calibration_error=0.1).axes[1]
    assert [bar.get_height() for bar in lower.patches] == [0, 4, 10, 20]
    assert [bar.get_x() for bar in lower.patches] == [0, 0.25, 0.5, 0.75]


def test_one_picture_is_enough_and_none_is_refused() -> None:
    render(plot_reliability(BINS.iloc[1:2], calibration_error=0.0))
    with pytest.raises(ValueError, match="expected a bin with pictures"):
        plot_reliability(BINS.iloc[:1], calibration_error=0.0)
