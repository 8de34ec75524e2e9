"""The progress of a training while it runs: a bar in terminals, a bar and a table of the epochs in notebooks."""

from collections.abc import Sequence

import pandas as pd
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from discern.console import MessageLog
from discern.engine.loop import StepResult
from discern.notebook import NotebookOutput
from discern.percent import percent
from discern.planning.plan import PhasePlan
from discern.training.epoch_count import EpochCount
from discern.training.history import EpochRow
from discern.training.listeners import Listener


def build_progress(messages: MessageLog, phases: Sequence[PhasePlan]) -> list[Listener]:
    """Return the listeners that show the progress where the messages are shown; none where nothing can move."""
    bar = messages.build_bar(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("left"), TimeRemainingColumn()
    )
    listeners: list[Listener] = [] if bar is None else [ProgressBar(bar, phases)]
    return listeners if messages.notebook is None else [EpochTable(messages.notebook), *listeners]


class EpochTable(Listener):
    """A table in a notebook with one row an epoch."""

    def __init__(self, output: NotebookOutput) -> None:
        self._output = output
        self._kept = 0
        self._rows: Sequence[EpochRow] = ()

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:
        """Show all rows; the one that is kept so far is marked where there is a validation split."""
        self._rows = tuple(rows)
        self._show(rows[-1].epoch if is_best else self._kept)

    def on_phase_end(self, phase: PhasePlan, kept: EpochRow) -> None:  # noqa: ARG002
        """Mark what is kept, which only the end of a phase decides where its last epoch is."""
        self._show(kept.epoch)

    def _show(self, kept: int) -> None:
        self._kept = kept
        self._output.set_table(pd.DataFrame([self._describe(row) for row in self._rows]))

    def _describe(self, row: EpochRow) -> dict[str, str]:
        cells = {
            "epoch": str(row.epoch),
            "phase": row.phase,
            "train loss": f"{row.train_loss:.4f}",
            "train accuracy": percent(row.train_accuracy),
        }
        if row.has_validation:
            cells |= {
                "validation loss": f"{row.validation_loss:.4f}",
                "validation accuracy": percent(row.validation_accuracy),
            }
        return cells | {"seconds": f"{row.seconds:.1f}", "": self._mark(row)}

    def _mark(self, row: EpochRow) -> str:
        return "kept" if row.has_validation and row.epoch == self._kept else ""


class ProgressBar(Listener):
    """One bar for all phases, with the remaining time; it disappears when training ends."""

    def __init__(self, progress: Progress, phases: Sequence[PhasePlan]) -> None:
        self._progress = progress
        self._count = EpochCount(phases)
        self._task = self._progress.add_task("", total=sum(phase.epochs for phase in phases))
        self._share_of_batch = 0.0

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:
        """Show the epoch, counted over the whole run, and move the bar to its start."""
        self._progress.start()
        number, total = self._count.start(phase, epoch)
        self._share_of_batch = 1 / batches
        self._progress.update(
            self._task, completed=number - 1, total=total, description=f"epoch {number} of {total}, {phase.name}"
        )

    def on_batch(self, result: StepResult) -> None:  # noqa: ARG002
        """Move the bar by one batch."""
        self._progress.advance(self._task, self._share_of_batch)

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Remember the number of epochs."""
        self._count.end(rows)

    def on_end(self) -> None:
        """Remove the bar."""
        self._progress.stop()
