"""The figures of a search."""

import numpy as np
import pandas as pd
import pytest

from discern.plots.tuning import plot_trials


def make_trials() -> pd.DataFrame:
    value = np.array([0.9, np.nan, 1.0])
    return pd.DataFrame({"number": [0, 1, 2], "value": value, "low": value - 0.1, "high": [0.95, np.nan, 1.0]})


def test_accuracies_have_intervals_and_no_tick_beyond_100_percent() -> None:
    figure = plot_trials(make_trials(), value_name="validation accuracy")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert axes.get_yticks().max() == pytest.approx(1)
    assert all(label.get_text().endswith(" %") for label in axes.get_yticklabels())
    bars = axes.containers[0][2][0].get_segments()
    assert [bar[:, 1].tolist() for bar in bars] == [pytest.approx([0.8, 0.95]), pytest.approx([0.9, 1.0])]
    assert axes.get_legend() is None
    assert len(figure.legends) == 1


def test_of_losses_the_lowest_is_the_best() -> None:
    trials = pd.DataFrame({"number": [0, 1, 2], "value": [0.5, 0.3, 0.4]})
    best = plot_trials(trials, value_name="validation loss", is_loss=True).axes[0].lines[0]
    assert list(best.get_ydata()) == [0.5, 0.3, 0.3]
