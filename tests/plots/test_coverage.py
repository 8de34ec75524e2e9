"""The curve of errors over the share of pictures answered."""

import numpy as np
import pandas as pd
import pytest

from discern.plots.coverage import plot_coverage


def make_curve(rows: int) -> pd.DataFrame:
    coverage = np.arange(1, rows + 1) / rows
    return pd.DataFrame({"coverage": coverage, "error": coverage / 5, "error_high": coverage / 4})


def test_the_curve_ends_where_all_pictures_are_answered() -> None:
    figure = plot_coverage(make_curve(8))
    curve, whole = figure.axes[0].lines
    assert curve.get_xdata()[-1] == 1
    assert curve.get_ydata()[-1] == pytest.approx(0.2)
    assert set(whole.get_ydata()) == {0.2}
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "all answered: 20.0 % wrong"


def test_a_long_curve_is_thinned_and_keeps_both_ends() -> None:
    line = plot_coverage(make_curve(50_000)).axes[0].lines[0]
    assert len(line.get_xdata()) == 400
    assert line.get_xdata()[0] == pytest.approx(1 / 50_000)
    assert line.get_xdata()[-1] == 1


def test_a_curve_without_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a threshold"):
        plot_coverage(make_curve(0))
