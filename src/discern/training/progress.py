"""A progress bar for terminals."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from discern.engine.loop import StepResult
from discern.planning.plan import PhasePlan
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

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:
        """Show the epoch and move the bar to its start, past epochs that early stopping left out."""
        self._progress.start()
        place = [known.name for known in self._phases].index(phase.name)
        epochs_before = sum(known.epochs for known in self._phases[:place]) + epoch - 1
        self._share_of_batch = 1 / batches
        self._progress.update(
            self._task, completed=epochs_before, description=f"{phase.name}, epoch {epoch} of {phase.epochs}"
        )

    def on_batch(self, result: StepResult) -> None:  # noqa: ARG002
        """Move the bar by one batch."""
        self._progress.advance(self._task, self._share_of_batch)

    def on_end(self) -> None:
        """Remove the bar."""
        self._progress.stop()
