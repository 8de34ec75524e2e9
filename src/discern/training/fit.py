"""Carries out a training plan, stage by stage and epoch by epoch, so that it can be interrupted anywhere."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from discern.budget import Budget
from discern.config.settings import StageSettings, TrainingSettings
from discern.data.loaders import Batch
from discern.errors import TrainingError
from discern.inference import predict_logits
from discern.loop import EpochAverages, run_epoch
from discern.models.classifier import HEAD, Classifier
from discern.models.heads import LinearHead
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.head_solver import solve_head
from discern.training.history import EpochRow
from discern.training.inputs import PooledFeatures
from discern.training.listeners import Announced, Listener
from discern.training.meter import LoaderMeter
from discern.training.optimizers import get_learning_rate
from discern.training.plan import check_plan
from discern.training.stage import Stage
from discern.training.state import TrainingState, read_generators
from discern.training.stopping import BestModel
from discern.training.time_plan import may_end_early, settle_length

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
    the head saw then, where it was trained alone; `floor` is there where a first stage trained the head alone.
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
        check_plan(settings.stages, classifier)
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
        self.stage_index = 0
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
            while self.stage_index < len(self.settings.stages) and not self._is_too_late():
                self._run_stage(state)
                state = None
        finally:
            self.data.close()
            for listener in self.listeners:
                listener.on_end()
        self._load_best_weights()
        if self.best.row is None:
            raise TrainingError("no epoch was trained; each stage of the plan needs at least one")
        return FitResult(tuple(self.rows), self.best.row, self.best.logits, self.pooled, self.floor)

    def _is_too_late(self) -> bool:
        """Tell whether there is a model, and no time for another stage."""
        if self.budget is None or self.best.row is None:
            return False
        left = self.runtime.processes.gather(self.budget.left_for_training())[0]
        if left <= 0:
            logger.info("the time is up before stage %s", self.settings.stages[self.stage_index].name)
        return bool(left <= 0)

    def _run_stage(self, state: TrainingState | None) -> None:
        processes = self.runtime.processes
        in_the_middle = state is not None and "stage" in state.facts
        if not in_the_middle:
            # A stage starts from the best model so far, not from where the one before it happened to end.
            self._load_best_weights()
            if state is not None:
                state.restore_random_generators(processes)
        settings = self.settings.stages[self.stage_index]
        lengths = {} if self.budget is None else self.budget.lengths
        self._tune_convolutions(settings)
        stage = Stage(
            settings,
            self.settings,
            self.classifier,
            self.data,
            self.runtime,
            stage_index=self.stage_index,
            length=lengths.get(settings.name, settings.num_epochs),
            views=state.facts["stage"]["views"] if state is not None and in_the_middle else None,
        )
        if state is not None and in_the_middle:
            stage.restore(state)
            # Last, since building a stage may have drawn numbers that the uninterrupted run did not draw here.
            state.restore_random_generators(processes)
        for listener in self.listeners:
            listener.on_stage_start(stage.settings, stage.epochs_done)
        over = False
        while not over:
            row = self._run_epoch(stage)
            over = stage.observe(row)
            if not over:
                self._keep_to_budget(stage, row)
                over = stage.is_complete
            if over:
                self._note_floor(stage)
                self.stage_index += 1
            self._save_state(None if over else stage)

    def _tune_convolutions(self, stage: StageSettings) -> None:
        """Let cuDNN try all its ways for every shape only where the stage is long: it takes half a minute."""
        steps = stage.num_epochs * len(self.data.train) // self.data.batch_size
        torch.backends.cudnn.benchmark = steps >= _STEPS_WORTH_TUNING and not self.runtime.determinism

    def _keep_to_budget(self, stage: Stage, row: EpochRow) -> None:
        """Fit the epochs of the stage to the time that is left."""
        if self.budget is None:
            return
        # What one process sees, all go by.
        left, seconds = self.runtime.processes.gather((self.budget.left_for_training(), row.seconds))[0]
        planned, later = stage.settings.num_epochs, self.settings.stages[self.stage_index + 1 :]
        remaining = max(1, planned - stage.epochs_done)
        share = remaining / (remaining + sum(other.num_epochs for other in later))
        most = planned if later else self.budget.most_epochs.get(stage.settings.name, planned)
        in_parts = not later and may_end_early(len(self.data.validation), self.runtime.processes.count)
        stage.set_length(_fit_length(stage.length, stage.epochs_done, most, share * left / seconds, in_parts=in_parts))
        if stage.settings.num_epochs != planned:
            logger.info(
                "stage %s: %d epochs instead of %d, since one took %.1f s and there are %.0f s left for training",
                stage.settings.name,
                stage.settings.num_epochs,
                planned,
                seconds,
                max(left, 0),
            )

    def _note_floor(self, stage: Stage) -> None:
        more_learns_later = any(other.train != (HEAD,) for other in self.settings.stages[1:])
        if (
            self.stage_index == 0
            and more_learns_later
            and stage.settings.train == (HEAD,)
            and self.best.row
            and self.best.logits is not None
        ):
            self.floor = Floor(self.best.row, self.best.logits.clone())
            self.best.floor = self.best.row

    def _run_epoch(self, stage: Stage) -> EpochRow:
        for listener in self.listeners:
            listener.on_epoch_start(stage.settings, stage.epochs_done + 1, len(stage.inputs.train))
        started = time.perf_counter()
        train = self._solve(stage) if stage.settings.head_solver == "lbfgs" else self._train(stage)
        training_seconds = time.perf_counter() - started
        stage.settle_batchnorm()
        logits, validation = self._validate(stage)
        row = EpochRow(
            stage=stage.settings.name,
            epoch=len(self.rows) + 1,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            learning_rate=get_learning_rate(stage.optimizer),
            seconds=time.perf_counter() - started,
            images_per_second=train.images / training_seconds,
        )
        self.rows.append(row)
        # Where nothing judges them, an epoch that was cut off is no better than what there is.
        counts = row.has_validation or self.best.row is None or not self._was_cut
        is_best = counts and self.best.observe(row, stage.judged, logits)
        if is_best:
            self.pooled = stage.inputs.pool(self.classifier, self.data.remembered_rows)
        for listener in self.listeners:
            listener.on_epoch_end(self.rows, is_best=is_best)
        return row

    def _train(self, stage: Stage) -> EpochAverages:
        self.classifier.train()
        stage.step.start_epoch(stage.epochs_done)
        started = time.perf_counter()
        # The order of the pictures depends on the epoch over the whole run, so that no two stages repeat one.
        batches = self._until_time_is_up(stage.inputs.train.batches(len(self.rows)))
        try:
            train = run_epoch(batches, Announced(stage.step, self.listeners), self.runtime.processes)
        except TrainingError as error:
            raise TrainingError(f"{error}. {self._describe_last_good_state()}") from None
        if not stage.inputs.views:
            self._meter.observe(
                images=train.images,
                batches=len(stage.inputs.train),
                waiting_seconds=stage.inputs.train.waiting_seconds,
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

    def _solve(self, stage: Stage) -> EpochAverages:
        """Set the head to the exact solution, in place of all epochs of the stage."""
        inputs, head = stage.inputs, self.classifier.head
        if inputs.train_features is None or not isinstance(head, LinearHead):
            raise TrainingError(
                f"stage {stage.settings.name} has head_solver=lbfgs, which needs the features of all pictures at once, "
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
        return predict_logits(stage.judged_network, batches, inputs.prepare, self.runtime)[1]

    def _validate(self, stage: Stage) -> tuple[Tensor | None, EpochAverages]:
        """Return the logits of the validation pictures, and averages."""
        if stage.inputs.validation is None:
            return None, EpochAverages(float("nan"), float("nan"), 0)
        self.runtime.processes.share_buffers(stage.judged)
        batches = stage.inputs.validation.batches()
        logits, validation = predict_logits(stage.judged_network, batches, stage.inputs.prepare, self.runtime)
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

    def _save_state(self, stage: Stage | None) -> None:
        if self.state_folder is None:
            return
        generators = read_generators(self.runtime.processes)
        self.saved_epochs = len(self.rows)
        if not self.runtime.processes.is_main:
            return
        state = TrainingState(None if stage is None else stage.frozen)
        state.put_weights("classifier", self.classifier.state_dict())
        state.put_weights("best", self.best.weights or {})
        if self.best.logits is not None:
            state.put_tensors("best_validation", {"logits": self.best.logits})
        if self.floor is not None:
            state.put_tensors("floor", {"logits": self.floor.logits})
        state.put_random_generators(generators)
        state.facts |= {
            "stage_index": self.stage_index,
            "rows": [asdict(row) for row in self.rows],
            "best": None if self.best.row is None else asdict(self.best.row),
            "floor": None if self.floor is None else asdict(self.floor.row),
            "spent_seconds": 0.0 if self.budget is None else self.budget.spent_seconds(),
        }
        if stage is not None:
            stage.put_into(state)
        state.save(self.state_folder)

    def _restore(self, state: TrainingState) -> None:
        state.check_processes(self.runtime.processes.count)
        self.classifier.load_state_dict(state.get_weights("classifier"))
        self.stage_index = state.facts["stage_index"]
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
    """Return the epochs of a stage in all, of which some are done, where there is time for `affordable` more."""
    possible = done + max(0.0, affordable)
    if possible > planned:
        # A picture may take less than it seemed to. But an epoch too many would be cut off while the rate is high, and
        # in the second half the rate would have to rise again by much.
        longer = min(float(most), done + affordable / _SPARE)
        possible = longer if longer > planned and 2 * done <= longer else planned
    return settle_length(possible, in_parts=in_parts)
