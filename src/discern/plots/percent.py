"""Fractions as percent on axes and in the texts of figures."""

from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator, PercentFormatter


def show_percent(axis: Axis, *, whole: bool = False) -> None:
    """Write the ticks of an axis of fractions as percent; without digits where the axis is `whole`, from 0 to 100 %.

    No tick lies beyond 0 and 100 %, also where the axis leaves room there.
    """
    axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0 if whole else None, symbol=" %"))
    axis.set_major_locator(_FractionLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))


class _FractionLocator(MaxNLocator):
    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        return [float(tick) for tick in super().tick_values(vmin, vmax) if -1e-9 <= tick <= 1 + 1e-9]
