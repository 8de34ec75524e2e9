"""The bar of an interval: where it lies, and the baseline beside it."""

import io

import numpy as np
import pytest
from PIL import Image

from discern.plots.interval import plot_interval


def test_the_bar_reaches_from_end_to_end_with_the_value_on_it() -> None:
    figure = plot_interval(0.7, 0.55, 0.9, baseline=0.5)
    (axes,) = figure.axes
    scale, bar = axes.patches
    assert (scale.get_x(), scale.get_width()) == (0, 1)
    assert (bar.get_x(), bar.get_x() + bar.get_width()) == pytest.approx((0.55, 0.9))
    value, line = axes.lines
    assert value.get_xdata() == [0.7]
    assert list(line.get_xdata()) == [0.5, 0.5]
    assert [text.get_text() for text in axes.texts] == ["baseline"]
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=60, format="png")
    assert np.asarray(Image.open(buffer).convert("L")).std() > 5


@pytest.mark.parametrize("baseline", [0.0, 0.02, 0.99, 1.0])
def test_the_name_of_the_baseline_stays_within_the_figure(baseline: float) -> None:
    figure = plot_interval(0.5, 0.0, 1.0, baseline=baseline)
    figure.draw_without_rendering()
    extent = figure.axes[0].texts[0].get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= figure.bbox.width
    assert extent.y1 <= figure.bbox.height


def test_without_a_baseline_none_is_drawn() -> None:
    (axes,) = plot_interval(1.0, 1.0, 1.0, baseline=None).axes
    assert len(axes.lines) == 1
    assert not axes.texts


@pytest.mark.parametrize("ends", [(0.5, 0.6, 0.7), (0.5, 0.4, 1.1), (0.8, 0.2, 0.7)])
def test_what_is_no_interval_is_refused(ends: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 <= low <= value <= high <= 1"):
        plot_interval(*ends, baseline=None)
