"""Carries out a training plan, phase by phase and epoch by epoch, so that it can be interrupted anywhere."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from discern.config.settings import PhaseSettings, TrainingSettings
from discern.data.reading.loaders import Batch
from discern.engine.forward import predict_logits
from discern.engine.head_solver import solve_head
from discern.engine.loop import EpochAverages, run_epoch
from discern.engine.optimizers import get_learning_rate
from discern.errors import TrainingError
from discern.models.classifier import HEAD, Classifier
from discern.models.heads import LinearHead
from discern.planning.budget import Budget
from discern.planning.time_plan import may_end_early, settle_length
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.history import EpochRow
from discern.training.inputs import PooledFeatures
from discern.training.listeners import Announced, Listener
from discern.training.meter import LoaderMeter
from discern.training.phase import Phase
from discern.training.schedule_plan import check_plan
from discern.training.state import TrainingState, read_generators
from discern.training.stopping import BestModel

logger = logging.getLogger("discern")

_STEPS_WORTH_TUNING = 5000
_SPARE = 1.1


class Floor(NamedTuple):
    """What the head could do before layers of the backbone learned: its best epoch and validation logits (V, K)."""

    row: EpochRow
    logits: Tensor


@dataclass(frozen=True)
class FitResult:
    """All epochs of a training, and the one whose weights the classifier holds now.

    `validation_logits` (V, K) are what that epoch gave for the validation pictures, where there are any; `pooled` what
    the head saw then, where it was trained alone; `floor` is there where a first phase trained the head alone.
    """

    rows: tuple[EpochRow, ...]
    best: EpochRow
    validation_logits: Tensor | None
    pooled: PooledFeatures | None = None
    floor: Floor | None = None


class Fit:
    """One training from its first or from any later epoch to its end."""

    def __init__(
        self,
        classifier: Classifier,
        settings: TrainingSettings,
        data: TrainingData,
        runtime: Runtime,
        *,
        state_folder: Path | None = None,
        listeners: Sequence[Listener] = (),
        budget: Budget | None = None,
    ) -> None:
        check_plan(settings.phases, classifier)
        self.classifier = classifier
        self.settings = settings
        self.data = data
        self.runtime = runtime
        self.state_folder = state_folder
        self.listeners = listeners
        self.budget = budget
        self.rows: list[EpochRow] = []
        self.best = BestModel(settings.monitor)
        self.pooled: PooledFeatures | None = None
        self.floor: Floor | None = None
        self.phase_index = 0
        self.saved_epochs = 0
        self._was_cut = False
        self._meter = LoaderMeter(data.workers)

    def run(self, resume_from: TrainingState | None = None) -> FitResult:
        """Carry out what is left of the plan; at the end the classifier holds the best epoch's weights.

        Raises:
            TrainingError: The loss is not finite.
        """
        state = resume_from
        if state is not None:
            self._restore(state)
        try:
            while self.phase_index < len(self.settings.phases) and not self._is_too_late():
                self._run_phase(state)
                state = None
        finally:
            self.data.close()
            for listener in self.listeners:
                listener.on_end()
        self._load_best_weights()
        if self.best.row is None:
            raise TrainingError("no epoch was trained; each phase of the plan needs at least one")
        return FitResult(tuple(self.rows), self.best.row, self.best.logits, self.pooled, self.floor)

    def _is_too_late(self) -> bool:
        """Tell whether there is a model, and no time for another phase."""
        if self.budget is None or self.best.row is None:
            return False
        left = self.runtime.processes.gather(self.budget.left_for_training())[0]
        if left <= 0:
            logger.info("the time is up before phase %s", self.settings.phases[self.phase_index].name)
        return bool(left <= 0)

    def _run_phase(self, state: TrainingState | None) -> None:
        processes = self.runtime.processes
        in_the_middle = state is not None and "phase" in state.facts
        if not in_the_middle:
            # A phase starts from the best model so far, not from where the one before it happened to end.
            self._load_best_weights()
            if state is not None:
                state.restore_random_generators(processes)
        settings = self.settings.phases[self.phase_index]
        lengths = {} if self.budget is None else self.budget.lengths
        self._tune_convolutions(settings)
        phase = Phase(
            settings,
            self.settings,
            self.classifier,
            self.data,
            self.runtime,
            phase_index=self.phase_index,
            length=lengths.get(settings.name, settings.num_epochs),
            views=state.facts["phase"]["views"] if state is not None and in_the_middle else None,
        )
        if state is not None and in_the_middle:
            phase.restore(state)
            # Last, since building a phase may have drawn numbers that the uninterrupted run did not draw here.
            state.restore_random_generators(processes)
        for listener in self.listeners:
            listener.on_phase_start(phase.settings, phase.epochs_done)
        over = False
        while not over:
            row = self._run_epoch(phase)
            over = phase.observe(row)
            if not over:
                self._keep_to_budget(phase, row)
                over = phase.is_complete
            if over:
                self._note_floor(phase)
                self.phase_index += 1
            self._save_state(None if over else phase)

    def _tune_convolutions(self, phase: PhaseSettings) -> None:
        """Let cuDNN try all its ways for every shape only where the phase is long: it takes half a minute."""
        steps = phase.num_epochs * len(self.data.train) // self.data.batch_size
        torch.backends.cudnn.benchmark = steps >= _STEPS_WORTH_TUNING and not self.runtime.determinism

    def _keep_to_budget(self, phase: Phase, row: EpochRow) -> None:
        """Fit the epochs of the phase to the time that is left."""
        if self.budget is None:
            return
        # What one process sees, all go by.
        left, seconds = self.runtime.processes.gather((self.budget.left_for_training(), row.seconds))[0]
        planned, later = phase.settings.num_epochs, self.settings.phases[self.phase_index + 1 :]
        remaining = max(1, planned - phase.epochs_done)
        share = remaining / (remaining + sum(other.num_epochs for other in later))
        most = planned if later else self.budget.most_epochs.get(phase.settings.name, planned)
        in_parts = not later and may_end_early(len(self.data.validation), self.runtime.processes.count)
        phase.set_length(_fit_length(phase.length, phase.epochs_done, most, share * left / seconds, in_parts=in_parts))
        if phase.settings.num_epochs != planned:
            logger.info(
                "phase %s: %d epochs instead of %d, since one took %.1f s and there are %.0f s left for training",
                phase.settings.name,
                phase.settings.num_epochs,
                planned,
                seconds,
                max(left, 0),
            )

    def _note_floor(self, phase: Phase) -> None:
        more_learns_later = any(other.train != (HEAD,) for other in self.settings.phases[1:])
        if (
            self.phase_index == 0
            and more_learns_later
            and phase.settings.train == (HEAD,)
            and self.best.row
            and self.best.logits is not None
        ):
            self.floor = Floor(self.best.row, self.best.logits.clone())
            self.best.floor = self.best.row

    def _run_epoch(self, phase: Phase) -> EpochRow:
        for listener in self.listeners:
            listener.on_epoch_start(phase.settings, phase.epochs_done + 1, len(phase.inputs.train))
        started = time.perf_counter()
        train = self._solve(phase) if phase.settings.head_solver == "lbfgs" else self._train(phase)
        training_seconds = time.perf_counter() - started
        phase.settle_batchnorm()
        logits, validation = self._validate(phase)
        row = EpochRow(
            phase=phase.settings.name,
            epoch=len(self.rows) + 1,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            learning_rate=get_learning_rate(phase.optimizer),
            seconds=time.perf_counter() - started,
            images_per_second=train.images / training_seconds,
        )
        self.rows.append(row)
        # Where nothing judges them, an epoch that was cut off is no better than what there is.
        counts = row.has_validation or self.best.row is None or not self._was_cut
        is_best = counts and self.best.observe(row, phase.judged, logits)
        if is_best:
            self.pooled = phase.inputs.pool(self.classifier, self.data.remembered_rows)
        for listener in self.listeners:
            listener.on_epoch_end(self.rows, is_best=is_best)
        return row

    def _train(self, phase: Phase) -> EpochAverages:
        self.classifier.train()
        phase.step.start_epoch(phase.epochs_done)
        started = time.perf_counter()
        # The order of the pictures depends on the epoch over the whole run, so that no two phases repeat one.
        batches = self._until_time_is_up(phase.inputs.train.batches(len(self.rows)))
        try:
            train = run_epoch(batches, Announced(phase.step, self.listeners), self.runtime.processes)
        except TrainingError as error:
            raise TrainingError(f"{error}. {self._describe_last_good_state()}") from None
        if not phase.inputs.views:
            self._meter.observe(
                images=train.images,
                batches=len(phase.inputs.train),
                waiting_seconds=phase.inputs.train.waiting_seconds,
                training_seconds=time.perf_counter() - started,
                cached=self.data.keeps_pictures,
            )
        return train

    def _until_time_is_up(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches; alone, since processes need each other to the end, only as long as the budget allows."""
        for number, batch in enumerate(batches):
            in_time = self.budget is None or self.budget.left_for_training() > 0
            if number and not in_time and self.runtime.processes.count == 1:
                logger.info("the time is up: the epoch ends after %d batches", number)
                self._was_cut = True
                return
            yield batch

    def _solve(self, phase: Phase) -> EpochAverages:
        """Set the head to the exact solution, in place of all epochs of the phase."""
        inputs, head = phase.inputs, self.classifier.head
        if inputs.train_features is None or not isinstance(head, LinearHead):
            raise TrainingError(
                f"phase {phase.settings.name} has head_solver=lbfgs, which needs the features of all pictures at once, "
                "and there is no room for them; head_solver=gradient does without"
            )
        ignored = [name for name in ("label_smoothing", "mixup", "cutmix") if getattr(self.settings, name)]
        if ignored:
            logger.warning("head_solver=lbfgs solves without %s", ", ".join(ignored))
        solve_head(
            head,
            (inputs.train_features, self.data.train.targets()),
            None
            if inputs.validation_features is None
            else (inputs.validation_features, self.data.validation.targets()),
            balanced=self.settings.balance != "none",
        )
        batches = self.data.build_evaluation_loader_over(inputs.train_features, self.data.train).batches()
        return predict_logits(phase.judged_network, batches, inputs.prepare, self.runtime)[1]

    def _validate(self, phase: Phase) -> tuple[Tensor | None, EpochAverages]:
        """Return the logits of the validation pictures, and averages."""
        if phase.inputs.validation is None:
            return None, EpochAverages(float("nan"), float("nan"), 0)
        self.runtime.processes.share_buffers(phase.judged)
        batches = phase.inputs.validation.batches()
        logits, validation = predict_logits(phase.judged_network, batches, phase.inputs.prepare, self.runtime)
        if not math.isfinite(validation.loss):
            raise TrainingError(
                f"the validation loss is {validation.loss} after epoch {len(self.rows) + 1}; a lower learning rate or "
                f"clip_norm=1 usually mends that. {self._describe_last_good_state()}"
            )
        return logits, validation

    def _describe_last_good_state(self) -> str:
        if not self.rows:
            return "No epoch was complete before"
        return f"The last good state is that after epoch {len(self.rows)}" + (
            "" if self.state_folder is None else f", in {self.state_folder}"
        )

    def _load_best_weights(self) -> None:
        if self.best.weights is not None:
            self.classifier.load_state_dict(self.best.weights)

    def _save_state(self, phase: Phase | None) -> None:
        if self.state_folder is None:
            return
        generators = read_generators(self.runtime.processes)
        self.saved_epochs = len(self.rows)
        if not self.runtime.processes.is_main:
            return
        state = TrainingState(None if phase is None else phase.frozen)
        state.put_weights("classifier", self.classifier.state_dict())
        state.put_weights("best", self.best.weights or {})
        if self.best.logits is not None:
            state.put_tensors("best_validation", {"logits": self.best.logits})
        if self.floor is not None:
            state.put_tensors("floor", {"logits": self.floor.logits})
        state.put_random_generators(generators)
        state.facts |= {
            "phase_index": self.phase_index,
            "rows": [asdict(row) for row in self.rows],
            "best": None if self.best.row is None else asdict(self.best.row),
            "floor": None if self.floor is None else asdict(self.floor.row),
            "spent_seconds": 0.0 if self.budget is None else self.budget.spent_seconds(),
        }
        if phase is not None:
            phase.put_into(state)
        state.save(self.state_folder)

    def _restore(self, state: TrainingState) -> None:
        state.check_processes(self.runtime.processes.count)
        self.classifier.load_state_dict(state.get_weights("classifier"))
        self.phase_index = state.facts["phase_index"]
        self.rows = [EpochRow(**row) for row in state.facts["rows"]]
        self.saved_epochs = len(self.rows)
        floor = state.facts["floor"]
        if floor is not None:
            self.floor = Floor(EpochRow(**floor), state.get_tensors("floor")["logits"])
        if self.budget is not None:
            self.budget.started -= state.facts["spent_seconds"]
        best = state.facts["best"]
        self.best = BestModel(
            self.settings.monitor,
            None if best is None else EpochRow(**best),
            state.get_weights("best"),
            state.get_tensors("best_validation").get("logits"),
            floor=None if self.floor is None else self.floor.row,
        )


def _fit_length(planned: float, done: int, most: int, affordable: float, *, in_parts: bool) -> float:
    """Return the epochs of a phase in all, of which some are done, where there is time for `affordable` more."""
    possible = done + max(0.0, affordable)
    if possible > planned:
        # A picture may take less than it seemed to. But an epoch too many would be cut off while the rate is high, and
        # in the second half the rate would have to rise again by much.
        longer = min(float(most), done + affordable / _SPARE)
        possible = longer if longer > planned and 2 * done <= longer else planned
    return settle_length(possible, in_parts=in_parts)
