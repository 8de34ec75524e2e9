"""A progress bar for terminals."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from discern.engine.loop import StepResult
from discern.planning.plan import PhasePlan
from discern.training.history import EpochRow
from discern.training.listeners import Listener


class ProgressBar(Listener):
    """One bar for all phases, with the remaining time; it disappears when training ends."""

    def __init__(self, console: Console, phases: Sequence[PhasePlan]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._phases = phases
        self._task = self._progress.add_task("", total=sum(phase.epochs for phase in phases))
        self._share_of_batch = 0.0
        self._epochs_done: int | None = None

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:
        """Show the epoch, counted over the whole run, and move the bar to its start."""
        self._progress.start()
        place = [known.name for known in self._phases].index(phase.name)
        later = sum(known.epochs for known in self._phases[place + 1 :])
        before = self._epochs_done
        if before is None:
            before = sum(known.epochs for known in self._phases[:place]) + epoch - 1
        total = before + 1 + phase.epochs - epoch + later
        self._share_of_batch = 1 / batches
        self._progress.update(
            self._task, completed=before, total=total, description=f"epoch {before + 1} of {total}, {phase.name}"
        )

    def on_batch(self, result: StepResult) -> None:  # noqa: ARG002
        """Move the bar by one batch."""
        self._progress.advance(self._task, self._share_of_batch)

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Remember the number of epochs, of which early stopping may have left some out."""
        self._epochs_done = rows[-1].epoch

    def on_end(self) -> None:
        """Remove the bar."""
        self._progress.stop()
