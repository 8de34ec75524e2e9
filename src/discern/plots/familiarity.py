"""Similarity to the training pictures, of usual pictures and of others."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from discern.plots.style import MISTAKE_COLOR, MUTED_COLOR, TRAIN_COLOR, build_figure, tidy_axes

_BINS = 40


def plot_familiarity(usual: NDArray[np.floating], other: NDArray[np.floating], *, limit: float, auroc: float) -> Figure:
    """Draw the similarities (N,) of pictures of the usual kind and (M,) of another kind to the training pictures.

    Pictures at or below `limit` count as unfamiliar; `auroc` (0..1) is shown in the title.

    Raises:
        ValueError: One of the kinds has no picture.
    """
    if len(usual) == 0 or len(other) == 0:
        raise ValueError(f"expected pictures of both kinds, got {len(usual)} and {len(other)}")
    figure = build_figure(6, 4)
    axes = figure.subplots()
    edges = np.linspace(min(usual.min(), other.min()), max(usual.max(), other.max()), _BINS + 1)
    for values, color, name in ((usual, TRAIN_COLOR, "usual pictures"), (other, MISTAKE_COLOR, "other pictures")):
        weights = np.full(len(values), 1 / len(values))
        axes.hist(values, list(edges), weights=weights, color=color, alpha=0.6, label=f"{len(values)} {name}")
    axes.axvline(limit, color=MUTED_COLOR, linestyle="--", linewidth=1, label="unfamiliar at or below")
    axes.set(xlabel="similarity to the nearest training pictures", ylabel="share of pictures")
    axes.legend(frameon=False)
    tidy_axes(axes)
    figure.suptitle(f"Unlike the training pictures: AUROC {auroc:.3f}")
    return figure
