"""Bands behind a plot over epochs, one for each phase of the training plan."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from matplotlib.axes import Axes

from discern.plots.style import MUTED_COLOR, measure_points, shorten_middle

_FONT_POINTS = 9
_LONGEST_POINTS = 110
_MARGIN_POINTS = 6


class PhaseBand(NamedTuple):
    """The name of a phase, and its start and end on the axis of epochs."""

    name: str
    start: float
    end: float


def build_bands(names: Sequence[str], edges: Sequence[float]) -> list[PhaseBand]:
    """Join neighbours of the same name: name i reaches from edge i to edge i + 1."""
    bands = []
    for name, group in groupby(range(len(names)), key=lambda index: names[index]):
        indices = list(group)
        bands.append(PhaseBand(name, edges[indices[0]], edges[indices[-1] + 1]))
    return bands


def draw_bands(axes: Axes, bands: Sequence[PhaseBand], *, axes_width_points: float) -> None:
    """Shade every second band and write each name at its top, upright where the band is too narrow."""
    whole = bands[-1].end - bands[0].start
    for index, band in enumerate(bands):
        axes.axvspan(band.start, band.end, color="0.5", alpha=0.14 if index % 2 else 0.05, linewidth=0, zorder=0)
        name = shorten_middle(band.name, width_points=_LONGEST_POINTS, font_points=_FONT_POINTS)
        band_points = axes_width_points * (band.end - band.start) / whole
        narrow = measure_points(name, _FONT_POINTS) + _MARGIN_POINTS > band_points
        axes.text(
            (band.start + band.end) / 2,
            0.98,
            name,
            transform=axes.get_xaxis_transform(),
            rotation=90 if narrow else 0,
            ha="center",
            va="top",
            fontsize=_FONT_POINTS,
            color=MUTED_COLOR,
            clip_on=True,
            parse_math=False,
        )
    axes.set_xlim(bands[0].start, bands[-1].end)
