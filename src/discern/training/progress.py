"""A live progress bar for people at a terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from discern.config.settings import StageSettings
from discern.loop import StepResult
from discern.training.listeners import Listener


class ProgressBar(Listener):
    """One bar for the whole plan, with the time that is left; it vanishes when training ends."""

    def __init__(self, console: Console, total_epochs: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("batches, left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._total_epochs = total_epochs
        self._task: TaskID | None = None

    def on_epoch_start(self, stage: StageSettings, epoch: int, batches: int) -> None:
        """Name the epoch; the first one starts the bar."""
        description = f"{stage.name}, epoch {epoch}/{stage.epochs}"
        if self._task is None:
            self._task = self._progress.add_task(description, total=batches * self._total_epochs)
            self._progress.start()
        self._progress.update(self._task, description=description)

    def on_batch(self, result: StepResult) -> None:  # noqa: ARG002
        """Move on by one batch."""
        if self._task is not None:
            self._progress.advance(self._task)

    def on_end(self) -> None:
        """Take the bar away."""
        self._progress.stop()
