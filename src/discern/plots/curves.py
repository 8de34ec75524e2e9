"""Loss, accuracy and learning rate of every epoch of a run."""

from collections.abc import Sequence
from math import isfinite

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from discern.percent import percent
from discern.plots.percent import show_percent
from discern.plots.phases import build_bands, draw_bands
from discern.plots.style import TRAIN_COLOR, VALIDATION_COLOR, build_figure, tidy_axes

_CURVES_WIDTH_POINTS = 250
_SCHEDULE_WIDTH_POINTS = 400
_FEW_EPOCHS = 25
_WIDE_RANGE = 20
_MIN_EPOCHS_FOR_FLOOR = 8
_NAMES_SHARE = 0.12  # of the height, above the lines, for the names of the phases


def plot_curves(history: pd.DataFrame, *, kept_epoch: int | None) -> Figure:
    """Draw loss and accuracy of train and validation side by side, the phases as bands, and a mark at the kept epoch.

    Rows of `history` are the epochs 1, 2, ... of the whole run in order; `kept_epoch` counts the same way. The columns
    read are phase, train_loss, train_accuracy and, NaN or absent without a validation split, validation_loss and
    validation_accuracy.

    Raises:
        ValueError: `history` is empty or has no row `kept_epoch`.
    """
    epochs = len(history)
    if epochs == 0 or (kept_epoch is not None and not 1 <= kept_epoch <= epochs):
        raise ValueError(f"expected at least one epoch and kept_epoch in 1..{epochs}, got {kept_epoch}")
    figure = build_figure(12, 4.6)
    loss_axes, accuracy_axes = figure.subplots(1, 2)
    for axes, measure in ((loss_axes, "loss"), (accuracy_axes, "accuracy")):
        _draw_measure(axes, history, measure, kept_epoch)
        axes.set(title=measure.capitalize(), xlabel="epoch", ylabel=measure)
    loss_axes.set_ylabel("loss, before calibration")
    show_percent(accuracy_axes.yaxis)
    return figure


def plot_schedule(learning_rates: pd.DataFrame) -> Figure:
    """Draw the learning rate over the run, one line for each column other than `epoch` and `phase`.

    `epoch` is a float that grows over the whole run from 0; the rates of a row hold from there on, and there may be one
    row per step. NaN leaves a gap. The axis is logarithmic when the peaks of groups or phases lie far apart.

    Raises:
        ValueError: There is no row, or no column of rates.
    """
    groups = [str(name) for name in learning_rates.columns if name not in ("epoch", "phase")]
    if learning_rates.empty or not groups:
        raise ValueError(f"expected rows and a column of rates, got {learning_rates.shape} with rates {groups}")
    figure = build_figure(8, 4.2)
    axes = figure.subplots()
    edges = _extend_epochs(learning_rates["epoch"].to_numpy(dtype=np.float64))
    colors = [TRAIN_COLOR] if len(groups) == 1 else colormaps["viridis"](np.linspace(0.0, 0.85, len(groups)))
    for group, color in zip(groups, colors, strict=True):
        rates = learning_rates[group].to_numpy(dtype=np.float64)
        axes.plot(edges, [*rates, rates[-1]], color=color, drawstyle="steps-post", label=group)
    _scale_rates(axes, learning_rates, groups)
    bands = build_bands(learning_rates["phase"].astype(str).tolist(), edges)
    draw_bands(axes, bands, axes_width_points=_SCHEDULE_WIDTH_POINTS)
    axes.set(title="Learning rate", xlabel="epoch", ylabel="learning rate")
    tidy_axes(axes)
    if len(groups) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def _draw_measure(axes: Axes, history: pd.DataFrame, measure: str, kept_epoch: int | None) -> None:
    epochs = np.arange(1, len(history) + 1)
    lines = {"train": TRAIN_COLOR, "validation": VALIDATION_COLOR}
    values = {split: _finite_column(history, f"{split}_{measure}") for split in lines}
    for split, color in lines.items():
        if not np.isnan(values[split]).all():
            marker = "o" if len(epochs) <= _FEW_EPOCHS else None
            axes.plot(epochs, values[split], color=color, marker=marker, markersize=4, label=split)
    if kept_epoch is not None:
        chosen_by = "train" if np.isnan(values["validation"]).all() else "validation"
        value = float(values[chosen_by][kept_epoch - 1])
        if isfinite(value):
            _mark_kept(axes, kept_epoch, value, measure, lines[chosen_by])
    bottom, top = axes.get_ylim()
    bottom = max(bottom, 0)
    if measure == "accuracy":
        bottom = max(bottom, _find_floor(np.concatenate([values[split] for split in lines])))
    axes.set_ylim(bottom, top + _NAMES_SHARE * (top - bottom))
    edges = [float(edge) for edge in np.arange(len(epochs) + 1) + 0.5]
    bands = build_bands(history["phase"].astype(str).tolist(), edges)
    draw_bands(axes, bands, axes_width_points=_CURVES_WIDTH_POINTS)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    tidy_axes(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _find_floor(accuracies: NDArray[np.float64]) -> float:
    """Return the accuracy below which the axis ends: that of a first epoch far below all others would flatten these."""
    known = accuracies[np.isfinite(accuracies)]
    if len(known) < _MIN_EPOCHS_FOR_FLOOR:
        return 0.0
    usual, best = float(np.quantile(known, 0.25)), float(known.max())
    return usual - 2 * (best - usual)


def _mark_kept(axes: Axes, epoch: int, value: float, measure: str, color: str) -> None:
    """Ring the epoch that was kept and show its value in the legend, where it covers no line."""
    shown = percent(value) if measure == "accuracy" else f"{value:.3f}"
    axes.axvline(epoch, ymax=1 - _NAMES_SHARE, color=color, linewidth=1, linestyle=":")
    axes.plot(
        [epoch],
        [value],
        color=color,
        linestyle="none",
        marker="o",
        markersize=10,
        fillstyle="none",
        clip_on=False,
        label=f"kept: epoch {epoch}\n{shown}",
    )


def _finite_column(history: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name not in history:
        return np.full(len(history), np.nan)
    values = history[name].to_numpy(dtype=np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _scale_rates(axes: Axes, learning_rates: pd.DataFrame, groups: Sequence[str]) -> None:
    """Choose a logarithmic axis for peaks far apart, without room for rates that decay to zero."""
    by_phase = learning_rates.groupby("phase", sort=False)[list(groups)].max().to_numpy(dtype=float)
    peaks = by_phase[by_phase > 0]
    if len(peaks) and peaks.max() / peaks.min() > _WIDE_RANGE:
        axes.set_yscale("log")
        axes.set_ylim(peaks.min() / 30, peaks.max() * 4)
    else:
        axes.set_ylim(0, (peaks.max() if len(peaks) else 1) * 1.2)


def _extend_epochs(epochs: NDArray[np.float64]) -> list[float]:
    """Add the end of the last row: each holds until the next one, and the last as long as the one before it."""
    last = float(epochs[-1] - epochs[-2]) if len(epochs) > 1 else 1.0
    return [*epochs.tolist(), float(epochs[-1]) + last]
