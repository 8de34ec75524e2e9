"""The plots of a training: losses and accuracies, and the learning rate."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from discern.planning.plan import Plan
from discern.planning.schedule import RatePoint, simulate_schedule
from discern.plots.curves import plot_curves, plot_schedule
from discern.plots.saving import save_figure


def draw_training(
    plan: Plan, history: pd.DataFrame, folder: Path, *, best_epoch: int | None, steps_per_epoch: int
) -> None:
    """Write curves.png and learning_rate.png.

    Args:
        plan: What was planned.
        history: One row per epoch, as in history.csv.
        folder: Where the plots go.
        best_epoch: The epoch to mark; None where there was no validation.
        steps_per_epoch: Updates in an epoch.
    """
    folder.mkdir(exist_ok=True)
    save_figure(plot_curves(history, kept_epoch=best_epoch), folder / "curves.png")
    rates = list_rates(plan, history, steps_per_epoch)
    save_figure(plot_schedule(pd.DataFrame(rates)), folder / "learning_rate.png")


def list_rates(plan: Plan, history: pd.DataFrame, steps_per_epoch: int) -> Sequence[RatePoint]:
    """Return the learning rate at every step, or at the end of every epoch where it could not be known beforehand."""
    is_open = plan.budget is not None or any(phase.schedule == "plateau" for phase in plan.phases)
    if not is_open:
        return simulate_schedule(plan.phases, steps_per_epoch)
    columns = zip(history["phase"], history["epoch"], history["learning_rate"], strict=True)
    return [RatePoint(str(phase), epoch - 1, rate) for phase, epoch, rate in columns]
