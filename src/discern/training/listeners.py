"""Listeners: callbacks of training that write the history, the log and events; users may add their own."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path

from discern.counts import count_of
from discern.data.reading.loaders import Batch
from discern.engine.loop import Step, StepResult
from discern.errors import refuse_value
from discern.ownership import check_owned
from discern.percent import percent
from discern.planning.plan import PhasePlan
from discern.run_folder import RunFolder
from discern.training.history import EpochRow, save_history

logger = logging.getLogger("discern")

_SHOWN_EPOCHS = 5
"""About how many epochs of a run are logged, besides the first and the last of each phase."""


class Listener:
    """Base of callbacks that follow a training; a subclass overrides the methods that it needs.

    With several processes, listeners are called in the first one only.
    """

    def on_run_start(self, folder: RunFolder) -> None:
        """Called when a run begins or is resumed; its folder has the settings and the plan.

        A run in folds calls it for itself, and for the run of each fold.
        """

    def on_phase_start(self, phase: PhasePlan, epochs_done: int) -> None:
        """Called when a phase begins, or is resumed after `epochs_done` of its epochs."""

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:
        """Called when an epoch of the phase, counted from 1, begins; it will have this many batches."""

    def on_batch(self, result: StepResult) -> None:
        """Called after each training batch."""

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> bool | None:
        """Called after each epoch; `rows` are all epochs so far, the new one last.

        `is_best` says whether it is kept so far; in a phase that keeps its last epoch, none is before its end. Return
        True to end the training: what is kept so far, or this epoch as the last of its phase, is evaluated as usual.
        """

    def on_phase_end(self, phase: PhasePlan, kept: EpochRow) -> None:
        """Called when a phase is over; `kept` is the epoch, of any phase, that is kept so far."""

    def on_end(self) -> None:
        """Called when training is over, complete or interrupted."""

    def on_run_end(self, folder: RunFolder, *, is_complete: bool) -> None:
        """Called at the very end: the folder has evaluation, bundle and report, unless the run was interrupted."""


def check_listeners(listeners: object) -> None:
    """Raise where an argument is no list of listeners.

    Raises:
        ConfigError: It is something else, or holds something else, such as a class in place of an object of it.
    """
    if not isinstance(listeners, Iterable) or not all(isinstance(listener, Listener) for listener in listeners):
        raise refuse_value("listeners", listeners, "a list of objects of subclasses of discern.Listener")


@contextmanager
def calling_listeners(listeners: Sequence[Listener], folder: RunFolder) -> Iterator[None]:
    """Call the listeners when the run of a folder begins, and when it has ended."""
    for listener in listeners:
        listener.on_run_start(folder)
    try:
        yield
    except BaseException:
        for listener in listeners:
            listener.on_run_end(folder, is_complete=False)
        raise
    for listener in listeners:
        listener.on_run_end(folder, is_complete=True)


class ListenedStep:
    """A step that calls the listeners after every batch."""

    def __init__(self, step: Step, listeners: Sequence[Listener]) -> None:
        self.step = step
        self.listeners = listeners

    def __call__(self, batch: Batch) -> StepResult:
        """Do the step, then call the listeners."""
        result = self.step(batch)
        for listener in self.listeners:
            listener.on_batch(result)
        return result

    def finish(self) -> None:
        """Finish the step."""
        self.step.finish()


class OwnerWatch(Listener):
    """Ends a training whose run folder was removed, before it writes to another that may be in its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Raise if the folder is no longer the one that this process owns."""
        check_owned(self.folder)


class HistoryFile(Listener):
    """Keeps history.csv up to date."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Write all rows, so that the file never disagrees with the state."""
        save_history(rows, self.path)


class LogLines(Listener):
    """Logs the phases and a few of the epochs; the others are details, which the log file has.

    Epochs are counted over the whole run, as in history.csv; `phases` are those of the plan. `level` is that of the
    lines: DEBUG leaves them to the log file, where the screen shows the epochs in another way.
    """

    def __init__(self, phases: Sequence[PhasePlan] = (), *, level: int = logging.INFO) -> None:
        self._phases = phases
        self._level = level
        self._every = ceil(sum(phase.epochs for phase in phases) / _SHOWN_EPOCHS) or 1
        self._phase: PhasePlan | None = None
        self._epochs_done = 0

    def on_phase_start(self, phase: PhasePlan, epochs_done: int) -> None:
        """Log the phase and what is trained in it."""
        self._log_early_end()
        self._phase, self._epochs_done = phase, epochs_done
        if phase.head_solver == "lbfgs":
            logger.log(self._level, "phase %s: the head is set to the exact solution", phase.name)
            return
        logger.log(
            self._level,
            "phase %s: training %s for %s%s, %s at %.2g%s, %s schedule%s%s",
            phase.name,
            "all layers" if phase.train == "all" else ", ".join(phase.train),
            "up to " if phase.patience else "",
            count_of(phase.epochs, "epoch"),
            phase.optimizer,
            phase.learning_rate,
            " (less for small weights)" if phase.proportional_rates else "",
            phase.schedule,
            f", resumed after epoch {epochs_done} of the phase" if epochs_done else "",
            f"; what is kept has {phase.initial_share:g} of the initial weights" if phase.initial_share else "",
        )

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:  # noqa: ARG002
        """Remember the phase, whose number of epochs a time budget may have changed."""
        self._phase = phase

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:
        """Log accuracies, losses and speed."""
        row = rows[-1]
        self._epochs_done = sum(other.phase == row.phase for other in rows)
        validation = (
            f"validation {percent(row.validation_accuracy)} (loss {row.validation_loss:.4f})"
            if row.has_validation
            else "no validation split"
        )
        logger.log(
            self._level if self._is_shown() else logging.DEBUG,
            "epoch %d of %d, %s: train %.1f %% (loss %.4f), %s%s; %.1f s, %.0f images/s",
            row.epoch,
            row.epoch + self._count_left(),
            row.phase,
            100 * row.train_accuracy,
            row.train_loss,
            validation,
            ", the best so far" if is_best and row.has_validation else "",
            row.seconds,
            row.images_per_second,
        )

    def on_end(self) -> None:
        """Log the end of a phase that did not have all its epochs."""
        self._log_early_end()

    def _is_shown(self) -> bool:
        is_last = self._phase is not None and self._epochs_done >= self._phase.epochs
        return is_last or self._epochs_done == 1 or self._epochs_done % self._every == 0

    def _count_left(self) -> int:
        """Return the number of planned epochs that are left, in this phase and later ones."""
        if self._phase is None:
            return 0
        names = [phase.name for phase in self._phases]
        place = names.index(self._phase.name) if self._phase.name in names else len(names)
        later = sum(phase.epochs for phase in self._phases[place + 1 :])
        return max(0, self._phase.epochs - self._epochs_done) + later

    def _log_early_end(self) -> None:
        if self._phase is not None and 0 < self._epochs_done < self._phase.epochs:
            done, planned = self._epochs_done, self._phase.epochs
            logger.log(self._level, "phase %s ended after %d of %d epochs", self._phase.name, done, planned)
        self._phase = None


class OverfittingWatch(Listener):
    """Warns once per phase of overfitting.

    The rule: over the last three epochs of a phase the validation loss rose and the training loss fell, and training
    accuracy is at least `gap` above validation accuracy.
    """

    def __init__(self, gap: float = 0.05) -> None:
        self.gap = gap
        self._warned: set[str] = set()

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Compare the last three epochs of the phase."""
        last = [row for row in rows if row.phase == rows[-1].phase][-3:]
        if len(last) < 3 or not last[-1].has_validation or last[-1].phase in self._warned:
            return
        validation_rises = last[0].validation_loss < last[1].validation_loss < last[2].validation_loss
        training_falls = last[0].train_loss > last[1].train_loss > last[2].train_loss
        gap = last[-1].train_accuracy - last[-1].validation_accuracy
        if validation_rises and training_falls and gap >= self.gap:
            self._warned.add(last[-1].phase)
            logger.warning(
                "overfitting since epoch %d: training accuracy is %.1f points above validation, whose loss has risen "
                "from %.4f to %.4f. Augmentation, dropout, weight decay, patience or fewer trained layers may help",
                last[1].epoch,
                100 * gap,
                last[0].validation_loss,
                last[2].validation_loss,
            )
