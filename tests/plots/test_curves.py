"""Curves of a run and of its learning rate: what is drawn, for one epoch and for many."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from discern.plots.curves import plot_curves, plot_schedule


def make_history(phases: list[str], *, validated: bool = True) -> pd.DataFrame:
    epochs = np.arange(1, len(phases) + 1)
    loss = 2 / epochs
    validation = loss + 0.1 if validated else np.full(len(phases), np.nan)
    return pd.DataFrame(
        {
            "phase": phases,
            "epoch": epochs,
            "train_loss": loss,
            "train_accuracy": 1 - loss / 4,
            "validation_loss": validation,
            "validation_accuracy": 1 - validation / 4,
        }
    )


def legend_of(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def texts_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def render(figure: Figure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=50, format="png")
    assert pyplot.get_fignums() == []
    return Image.open(buffer).convert("L")


@pytest.mark.parametrize("epochs", [1, 2, 40])
def test_loss_and_accuracy_stand_side_by_side(epochs: int) -> None:
    history = make_history(["head"] * epochs)
    figure = plot_curves(history, kept_epoch=epochs)
    loss, accuracy = figure.axes
    assert [loss.get_title(), accuracy.get_title()] == ["Loss", "Accuracy"]
    assert loss.lines[0].get_ydata() == pytest.approx(history["train_loss"])
    assert accuracy.lines[1].get_ydata() == pytest.approx(history["validation_accuracy"])
    assert loss.lines[0].get_xdata().tolist() == list(range(1, epochs + 1))
    assert np.asarray(render(figure)).std() > 5


def test_no_accuracy_over_100_percent_is_on_the_axis() -> None:
    history = make_history(["head"] * 15).assign(train_accuracy=1.0)
    figure = plot_curves(history, kept_epoch=15)
    figure.draw_without_rendering()
    ticks = figure.axes[1].get_yticks()
    assert max(ticks) == pytest.approx(1)
    assert len(ticks) > 3


def test_a_first_epoch_far_below_the_others_does_not_flatten_them() -> None:
    history = make_history(["head"] * 12).assign(train_accuracy=0.9, validation_accuracy=0.85)
    history.loc[0, ["train_accuracy", "validation_accuracy"]] = 0.05
    bottom, top = plot_curves(history, kept_epoch=5).axes[1].get_ylim()
    assert 0.6 < bottom < 0.85
    assert top > 0.9


def test_the_name_of_a_phase_of_one_epoch_is_whole() -> None:
    texts = plot_curves(make_history(["probe"] + ["fine-tune"] * 12), kept_epoch=None).axes[0].texts
    assert [(text.get_text(), text.get_rotation()) for text in texts] == [("probe", 90), ("fine-tune", 0)]


def test_a_single_epoch_is_a_visible_mark() -> None:
    lines = plot_curves(make_history(["head"]), kept_epoch=None).axes[0].lines
    assert all(line.get_marker() == "o" for line in lines)


def test_epochs_count_over_the_whole_run() -> None:
    history = make_history(["head", "head", "all", "all"])
    history["epoch"] = [1, 2, 1, 2]
    assert plot_curves(history, kept_epoch=None).axes[0].lines[0].get_xdata().tolist() == [1, 2, 3, 4]


def test_phases_are_named_bands() -> None:
    figure = plot_curves(make_history(["head"] * 5 + ["all layers"] * 15), kept_epoch=None)
    for axes in figure.axes:
        assert texts_of(axes) == ["head", "all layers"]
        assert [(patch.get_x(), patch.get_width()) for patch in axes.patches] == [(0.5, 5), (5.5, 15)]
        assert axes.get_xlim() == (0.5, 20.5)


def test_the_name_of_a_narrow_band_stands_upright_and_long_ones_are_shortened() -> None:
    phases = ["warm-up of the newly initialised head"] + ["all"] * 39
    first, second = plot_curves(make_history(phases), kept_epoch=None).axes[0].texts
    assert (first.get_rotation(), second.get_rotation()) == (90, 0)
    assert first.get_text().startswith("warm-up")
    assert "…" in first.get_text()


def test_the_kept_epoch_is_named_with_its_validation_value() -> None:
    loss, accuracy = plot_curves(make_history(["head"] * 8), kept_epoch=4).axes
    assert legend_of(loss) == ["train", "validation", "kept: epoch 4\n0.600"]
    assert legend_of(accuracy) == ["train", "validation", "kept: epoch 4\n85.0 %"]


@pytest.mark.parametrize("columns", ["nan", "absent"])
def test_without_validation_the_train_curve_stands_alone(columns: str) -> None:
    history = make_history(["head"] * 4, validated=False)
    if columns == "absent":
        history = history.drop(columns=["validation_loss", "validation_accuracy"])
    figure = plot_curves(history, kept_epoch=4)
    assert legend_of(figure.axes[0]) == ["train", "kept: epoch 4\n0.500"]
    render(figure)


def test_a_loss_that_is_not_finite_leaves_a_gap() -> None:
    history = make_history(["head"] * 4)
    history.loc[2, "train_loss"] = np.inf
    figure = plot_curves(history, kept_epoch=None)
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[2])
    render(figure)


@pytest.mark.parametrize(("epochs", "kept_epoch"), [(0, None), (3, 0), (3, 4)])
def test_an_epoch_that_is_not_there_is_refused(epochs: int, kept_epoch: int | None) -> None:
    with pytest.raises(ValueError, match=f"got {kept_epoch}"):
        plot_curves(make_history(["head"] * epochs), kept_epoch=kept_epoch)


def test_schedule_draws_one_rate_without_a_legend() -> None:
    rates = pd.DataFrame({"epoch": [0.0, 0.5, 1.0, 1.5], "phase": "head", "learning_rate": [1e-3, 8e-4, 6e-4, 4e-4]})
    figure = plot_schedule(rates)
    (axes,) = figure.axes
    assert axes.get_yscale() == "linear"
    assert axes.get_legend() is None
    assert axes.lines[0].get_xdata().tolist() == [0, 0.5, 1, 1.5, 2]
    assert axes.lines[0].get_ydata().tolist() == [1e-3, 8e-4, 6e-4, 4e-4, 4e-4]
    assert np.asarray(render(figure)).std() > 5


def test_schedule_names_groups_and_phases_and_goes_logarithmic_for_wide_ranges() -> None:
    rates = pd.DataFrame(
        {
            "epoch": np.arange(6.0),
            "phase": ["head"] * 2 + ["all"] * 4,
            "stem": [np.nan] * 2 + [1e-5] * 3 + [0.0],
            "head": [1e-2] * 2 + [1e-4] * 3 + [0.0],
        }
    )
    figure = plot_schedule(rates)
    (axes,) = figure.axes
    assert legend_of(axes) == ["stem", "head"]
    assert texts_of(axes) == ["head", "all"]
    assert [(patch.get_x(), patch.get_width()) for patch in axes.patches] == [(0, 2), (2, 4)]
    assert axes.get_yscale() == "log"
    bottom, top = axes.get_ylim()
    assert 1e-7 < bottom < 1e-5
    assert 1e-2 < top < 1e-1
    render(figure)


@pytest.mark.parametrize("rate", [1e-3, 0.0, np.nan])
def test_schedule_of_a_single_row_is_drawn(rate: float) -> None:
    figure = plot_schedule(pd.DataFrame({"epoch": [0.0], "phase": ["head"], "learning_rate": [rate]}))
    assert figure.axes[0].get_xlim() == (0, 1)
    render(figure)


@pytest.mark.parametrize(
    "rates", [pd.DataFrame({"epoch": [0.0], "phase": ["head"]}), pd.DataFrame(columns=["epoch", "phase", "rate"])]
)
def test_schedule_without_rates_is_refused(rates: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="expected rows and a column of rates"):
        plot_schedule(rates)
