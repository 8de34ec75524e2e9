"""The progress of a training for other programs: RUN/progress.json while it runs, and RUN/finish to end it."""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from discern.engine.loop import StepResult
from discern.errors import WriteError
from discern.files import read_json, write_json
from discern.planning.plan import PhasePlan
from discern.run_folder import RunFolder
from discern.training.epoch_count import EpochCount
from discern.training.history import EpochRow
from discern.training.listeners import Listener

logger = logging.getLogger("discern")

_EVERY_SECONDS = 1.0


class TrainingProgress(BaseModel):
    """What progress.json says.

    `epoch` counts from 1 over the whole run, of `epochs` that are planned by now; of its `batches`, `batch` are done.
    `seconds_left` are those of the whole run under a time budget, otherwise those of training; None before they can be
    known. When training is over, `part` is "results": evaluation, plots and report are written. `fold` is that of a run
    in folds.
    """

    part: Literal["training", "results"]
    phase: str = ""
    epoch: int = 0
    epochs: int = 0
    batch: int = 0
    batches: int = 1
    seconds_left: float | None = None
    fold: int | None = None


def load_progress(path: Path) -> TrainingProgress | None:
    """Return what progress.json says; None where there is none that can be read."""
    try:
        return TrainingProgress.model_validate(read_json(path))
    except (OSError, ValueError):
        return None


class ProgressFile(Listener):
    """Keeps progress.json up to date, about once a second, and removes it at the end.

    Args:
        path: The file.
        phases: Those of the plan.
        ends: The value of `time.monotonic()` at which the time budget of the run ends, if it has one.
        fold: Of a run in folds.
    """

    def __init__(
        self, path: Path, phases: Sequence[PhasePlan], *, ends: float | None = None, fold: int | None = None
    ) -> None:
        self._path = path
        self._last_phase = phases[-1].name if phases else ""
        self._ends = ends
        self._count = EpochCount(phases)
        self._now = TrainingProgress(part="training", fold=fold)
        self._start: tuple[float, float] | None = None
        self._written = 0.0

    def on_phase_start(self, phase: PhasePlan, epochs_done: int) -> None:  # noqa: ARG002
        """Measure the speed anew."""
        self._start = None

    def on_epoch_start(self, phase: PhasePlan, epoch: int, batches: int) -> None:
        """Say which epoch begins."""
        number, total = self._count.start(phase, epoch)
        self._start = self._start or (time.monotonic(), number - 1)
        self._change(phase=phase.name, epoch=number, epochs=total, batch=0, batches=batches)

    def on_batch(self, result: StepResult) -> None:  # noqa: ARG002
        """Count a batch."""
        self._now.batch += 1
        if time.monotonic() - self._written >= _EVERY_SECONDS:
            self._change()

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> None:  # noqa: ARG002
        """Remember the number of epochs."""
        self._count.end(rows)

    def on_end(self) -> None:
        """Say that the results are written now."""
        self._change(part="results")

    def on_run_end(self, folder: RunFolder, *, is_complete: bool) -> None:  # noqa: ARG002
        """Remove the file."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _change(self, **values: object) -> None:
        """Write what is new; a training goes on without the file where it cannot be written."""
        self._now = self._now.model_copy(update=values)
        self._now.seconds_left = self._estimate_seconds_left()
        self._written = time.monotonic()
        with suppress(WriteError):
            write_json(self._path, self._now.model_dump())

    def _estimate_seconds_left(self) -> float | None:
        """Return the time that is left by the budget, or by the speed of the last phase so far."""
        if self._ends is not None:
            return max(0.0, self._ends - time.monotonic())
        if self._start is None or self._now.part == "results" or self._now.phase != self._last_phase:
            return None
        started, epochs_before = self._start
        done = self._now.epoch - 1 + self._now.batch / self._now.batches
        if done <= epochs_before:
            return None
        seconds_per_epoch = (time.monotonic() - started) / (done - epochs_before)
        return max(0.0, self._now.epochs - done) * seconds_per_epoch


class FinishRequest(Listener):
    """Ends a training after the epoch in which somebody made the file RUN/finish; what is best so far is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_epoch_end(self, rows: Sequence[EpochRow], *, is_best: bool) -> bool:  # noqa: ARG002
        """Return whether there is such a file."""
        is_asked = self._path.exists()
        if is_asked:
            logger.info("training ends after epoch %d, since there is %s", rows[-1].epoch, self._path)
        return is_asked
