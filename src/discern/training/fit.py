"""Trains phase by phase and epoch by epoch, and can be interrupted at any moment."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from discern.counts import count_of
from discern.engine.forward import predict_logits, prepare_images
from discern.engine.loop import EpochAverages
from discern.engine.train_step import Loss
from discern.errors import TrainingError
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.classifier import HEAD, Classifier
from discern.planning.plan import PhasePlan, TrainingPlan
from discern.runtime import Runtime
from discern.seconds import measuring
from discern.training.batches import TrainingData
from discern.training.deadline import Deadline, correct_length
from discern.training.epoch import Epoch, EpochRunner
from discern.training.floor import Floor
from discern.training.history import EpochRow
from discern.training.inputs import PooledFeatures
from discern.training.listeners import Listener
from discern.training.phase import Phase
from discern.training.random_generators import read_generators
from discern.training.state import Progress, TrainingState
from discern.training.state_loading import restoring
from discern.training.stopping import BestModel

logger = logging.getLogger("discern")

_MIN_STEPS_TO_BENCHMARK = 5000
_LATE = 2 / 3
"""Share of its epochs after which a phase that is clearly worse than the floor has not been seen to reach it."""


@dataclass(frozen=True)
class FitResult:
    """All epochs of a training, and the best one, whose weights the classifier has now: number 0 if none was trained.

    `validation_logits` (V, K) are those of the best epoch, if there is a validation split. `pooled` are the features of
    the head in that epoch, if it was trained alone. `floor` exists if the first of several phases trained the head
    alone.
    """

    rows: tuple[EpochRow, ...]
    best: EpochRow
    validation_logits: Tensor | None
    pooled: PooledFeatures | None = None
    floor: Floor | None = None


class Fit:
    """One training, from its first or any later epoch to its end.

    Args:
        classifier: On the device; at the end it has the weights of the best epoch.
        phases: The plan of each phase.
        training: What holds for all phases.
        data: The pictures.
        runtime: Device, precision and processes.
        loss: The user's own; by default cross-entropy as in the plan.
        metrics: The user's own, computed after each epoch on the validation pictures, before calibration.
        state_folder: Where the state is saved after each epoch.
        listeners: Called in the first process only.
        deadline: When training must end.
    """

    def __init__(
        self,
        classifier: Classifier,
        phases: Sequence[PhasePlan],
        training: TrainingPlan,
        data: TrainingData,
        runtime: Runtime,
        *,
        loss: Loss | None = None,
        metrics: Mapping[str, MetricFunction] | None = None,
        state_folder: Path | None = None,
        listeners: Sequence[Listener] = (),
        deadline: Deadline | None = None,
    ) -> None:
        self.classifier = classifier
        self.phases = phases
        self.training = training
        self.data = data
        self.runtime = runtime
        self.loss = loss
        self.state_folder = state_folder
        self.listeners = listeners
        self.deadline = deadline
        self.rows: list[EpochRow] = []
        self.best = BestModel(training.monitor)
        self.pooled: PooledFeatures | None = None
        self.floor: Floor | None = None
        self.phase_index = 0
        self.saved_epochs = 0
        self._epochs = EpochRunner(
            training, data, runtime, metrics=metrics or {}, listeners=listeners, deadline=deadline
        )

    def run(self, resume_from: TrainingState | None = None) -> FitResult:
        """Train what is left of the plan; at the end the classifier has the weights of the best epoch.

        Raises:
            TrainingError: The loss is not finite.
        """
        state = resume_from
        if state is not None:
            with restoring(self.state_folder):
                self._restore(state)
        try:
            if not self.phases:
                self._evaluate_start()
            while self.phase_index < len(self.phases) and not self._is_too_late() and not self._cannot_gain():
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

    def _evaluate_start(self) -> None:
        """Keep the classifier as it is, where there is nothing to train."""
        logits, validation = None, EpochAverages(math.nan, math.nan, 0)
        if len(self.data.validation):
            batches = self.data.build_evaluation_loader(self.data.validation, decodes_whole=True).batches()
            prepare = prepare_images(self.data.preprocess, self.runtime)
            logits, validation = predict_logits(self.classifier, batches, prepare, self.runtime)
        row = EpochRow(
            phase="",
            epoch=0,
            train_loss=math.nan,
            train_accuracy=math.nan,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            learning_rate=0.0,
            seconds=0.0,
            images_per_second=0.0,
        )
        self.best.observe(row, self.classifier, logits)

    def _is_too_late(self) -> bool:
        """Return whether a model is trained and no time is left for another phase."""
        if self.deadline is None or self.best.row is None:
            return False
        left = self.runtime.processes.gather(self.deadline.left_seconds())[0]
        if left <= 0:
            logger.info("the time budget is used up before phase %s", self.phases[self.phase_index].name)
        return bool(left <= 0)

    def _cannot_gain(self) -> bool:
        """Return whether the floor leaves too little to gain for any later phase to be shown to be better."""
        if self.floor is None or not self.training.must_gain:
            return False
        return self.floor.ends_training(self.data.validation.targets())

    def _is_far_behind(self, phase: Phase, logits: Tensor | None) -> bool:
        """Return whether a phase is worse than the floor, by more than chance explains, so late that it stays so."""
        is_late = phase.epochs_done >= _LATE * phase.length
        if self.floor is None or logits is None or not self.training.must_gain or not is_late:
            return False
        return self.floor.ends_phase(phase.plan, phase.epochs_done, logits, self.data.validation.targets())

    def _run_phase(self, state: TrainingState | None) -> None:
        phase = self._begin_phase(state)
        for listener in self.listeners:
            listener.on_phase_start(phase.plan, phase.epochs_done)
        is_over = False
        while not is_over:
            epoch, wants_end = self._run_epoch(phase)
            is_over = phase.observe(epoch.row)
            if not is_over:
                self._correct_length(phase, epoch.row)
                is_over = phase.is_complete or self._is_far_behind(phase, epoch.validation_logits)
            if is_over or wants_end:
                if phase.keeps_last:
                    self._compete(phase, epoch, is_final=phase.is_complete and not epoch.was_cut)
                self._record_floor(phase)
                self._announce_kept(phase)
                self.phase_index = len(self.phases) if wants_end else self.phase_index + 1
                is_over = True
            self._save_state(None if is_over else phase)

    def _begin_phase(self, state: TrainingState | None) -> Phase:
        """Build the next phase, or the one that was interrupted when the state was saved."""
        processes, progress = self.runtime.processes, None if state is None else state.progress.phase
        if progress is None:
            # A phase starts from the best model so far, not from the last epoch of the phase before.
            self._load_best_weights()
            if state is not None:
                with restoring(self.state_folder):
                    state.restore_random_generators(processes)
        plan = self.phases[self.phase_index]
        self._set_cudnn_benchmark(plan)
        phase = Phase(
            plan,
            self.training,
            self.classifier,
            self.data,
            self.runtime,
            index=self.phase_index,
            loss=self.loss,
            views=None if progress is None else progress.views,
        )
        if state is not None and progress is not None:
            with restoring(self.state_folder):
                phase.restore(state, progress)
                # Last, since building a phase may have drawn random numbers that the whole run did not draw here.
                state.restore_random_generators(processes)
        return phase

    def _set_cudnn_benchmark(self, plan: PhasePlan) -> None:
        """Let cuDNN benchmark its algorithms only in long phases, since that takes half a minute."""
        steps = plan.epochs * len(self.data.train) // self.data.batch_size
        torch.backends.cudnn.benchmark = steps >= _MIN_STEPS_TO_BENCHMARK and not self.runtime.determinism

    def _correct_length(self, phase: Phase, row: EpochRow) -> None:
        """Correct the epochs of the phase to the time that is left."""
        if self.deadline is None:
            return
        # All processes use the times of the first one.
        left, seconds = self.runtime.processes.gather((self.deadline.left_seconds(), row.seconds))[0]
        planned, later = phase.plan.epochs, self.phases[self.phase_index + 1 :]
        remaining = max(1, planned - phase.epochs_done)
        share = remaining / (remaining + sum(other.epochs for other in later))
        length = correct_length(
            phase.length,
            phase.epochs_done,
            planned if later else max(planned, phase.plan.max_epochs),
            share * left / seconds,
            may_end_early=not later and len(self.data.validation) > 0 and self.runtime.processes.count == 1,
        )
        phase.set_length(length)
        if phase.plan.epochs != planned:
            logger.info(
                "phase %s: %s instead of %d, since one took %.1f s and there are %.0f s left for training",
                phase.plan.name,
                count_of(phase.plan.epochs, "epoch"),
                planned,
                seconds,
                max(left, 0),
            )

    def _record_floor(self, phase: Phase) -> None:
        backbone_learns_later = any(other.train != (HEAD,) for other in self.phases[1:])
        if (
            self.phase_index == 0
            and backbone_learns_later
            and phase.plan.train == (HEAD,)
            and self.best.row
            and self.best.logits is not None
        ):
            self.floor = Floor(self.best.row, self.best.logits.clone())
            self.best.floor = self.best.row

    def _run_epoch(self, phase: Phase) -> tuple[Epoch, bool]:
        """Train and validate; return the epoch, and whether a listener asks to end the training."""
        for listener in self.listeners:
            listener.on_epoch_start(phase.plan, phase.epochs_done + 1, len(phase.inputs.train))
        try:
            epoch = self._epochs.run(phase, len(self.rows) + 1)
        except TrainingError as error:
            raise TrainingError(f"{error}. {self._describe_last_good_state()}") from None
        self.rows.append(epoch.row)
        is_best = not phase.keeps_last and self._compete(phase, epoch)
        requests = [listener.on_epoch_end(self.rows, is_best=is_best) for listener in self.listeners]
        return epoch, any(self.runtime.processes.gather(any(requests)))

    def _announce_kept(self, phase: Phase) -> None:
        if self.best.row is not None:
            for listener in self.listeners:
                listener.on_phase_end(phase.plan, self.best.row)

    def _compete(self, phase: Phase, epoch: Epoch, *, is_final: bool = False) -> bool:
        """Keep the model of this epoch if it is the best one so far; return whether it is."""
        # Without validation, an unfinished epoch does not replace a complete one.
        counts = epoch.row.has_validation or self.best.row is None or not epoch.was_cut
        is_best = counts and self.best.observe(epoch.row, phase.evaluated, epoch.validation_logits, is_final=is_final)
        if is_best:
            self.pooled = phase.inputs.pool(self.classifier, self.data.bank_rows)
        return is_best

    def _describe_last_good_state(self) -> str:
        if not self.rows:
            return "No epoch was complete"
        return f"The last good state is of epoch {len(self.rows)}" + (
            "" if self.state_folder is None else f", in {self.state_folder}"
        )

    def _load_best_weights(self) -> None:
        if self.best.weights is not None:
            self.classifier.load_state_dict(self.best.weights)

    @measuring("saving")
    def _save_state(self, phase: Phase | None) -> None:
        if self.state_folder is None:
            return
        generators = read_generators(self.runtime.processes)
        self.saved_epochs = len(self.rows)
        if not self.runtime.processes.is_main:
            return
        progress = Progress(
            phase_index=self.phase_index,
            rows=tuple(self.rows),
            best=self.best.row,
            floor=None if self.floor is None else self.floor.row,
            spent_seconds=0.0 if self.deadline is None else self.deadline.spent_seconds(),
        )
        state = TrainingState(progress, None if phase is None else phase.frozen)
        state.put_weights("classifier", self.classifier.state_dict())
        state.put_weights("best", self.best.weights or {})
        if self.best.logits is not None:
            state.put_tensors("best_validation", {"logits": self.best.logits})
        if self.floor is not None:
            state.put_tensors("floor", {"logits": self.floor.logits})
        state.put_random_generators(generators)
        if phase is not None:
            phase.put_into(state)
        state.save(self.state_folder)

    def _restore(self, state: TrainingState) -> None:
        progress = state.progress
        state.check_processes(self.runtime.processes.count)
        self.classifier.load_state_dict(state.get_weights("classifier"))
        self.phase_index = progress.phase_index
        self.rows = list(progress.rows)
        self.saved_epochs = len(self.rows)
        if progress.floor is not None:
            self.floor = Floor(progress.floor, state.get_tensors("floor")["logits"])
        if self.deadline is not None:
            self.deadline.started -= progress.spent_seconds
        self.best = BestModel(
            self.training.monitor,
            progress.best,
            state.get_weights("best") or None,
            state.get_tensors("best_validation").get("logits"),
            floor=progress.floor,
        )
