"""Carries out a training plan, stage by stage and epoch by epoch, so that it can be interrupted anywhere."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from discern.config.settings import TrainingSettings
from discern.errors import TrainingError
from discern.inference import predict_logits
from discern.loop import EpochAverages, run_epoch
from discern.models.classifier import Classifier
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

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class FitResult:
    """All epochs of a training, and the one whose weights the classifier holds now.

    `validation_logits` (V, K) are what that epoch gave for the validation pictures, where there are any; `pooled` what
    the head saw then, where it was trained alone.
    """

    rows: tuple[EpochRow, ...]
    best: EpochRow
    validation_logits: Tensor | None
    pooled: PooledFeatures | None = None


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
    ) -> None:
        check_plan(settings.stages, classifier)
        self.classifier = classifier
        self.settings = settings
        self.data = data
        self.runtime = runtime
        self.state_folder = state_folder
        self.listeners = listeners
        self.rows: list[EpochRow] = []
        self.best = BestModel(settings.monitor)
        self.pooled: PooledFeatures | None = None
        self.stage_index = 0
        self.saved_epochs = 0
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
            while self.stage_index < len(self.settings.stages):
                self._run_stage(state)
                state = None
        finally:
            self.data.close()
            for listener in self.listeners:
                listener.on_end()
        self._load_best_weights()
        if self.best.row is None:
            raise TrainingError("no epoch was trained; each stage of the plan needs at least one")
        return FitResult(tuple(self.rows), self.best.row, self.best.logits, self.pooled)

    def _run_stage(self, state: TrainingState | None) -> None:
        processes = self.runtime.processes
        in_the_middle = state is not None and "stage" in state.facts
        if not in_the_middle:
            # A stage starts from the best model so far, not from where the one before it happened to end.
            self._load_best_weights()
            if state is not None:
                state.restore_random_generators(processes)
        stage = Stage(
            self.settings.stages[self.stage_index],
            self.settings,
            self.classifier,
            self.data,
            self.runtime,
            stage_index=self.stage_index,
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
            if over:
                self.stage_index += 1
            self._save_state(None if over else stage)

    def _run_epoch(self, stage: Stage) -> EpochRow:
        for listener in self.listeners:
            listener.on_epoch_start(stage.settings, stage.epochs_done + 1, len(stage.inputs.train))
        started = time.perf_counter()
        train = self._solve(stage) if stage.settings.head_solver == "lbfgs" else self._train(stage)
        training_seconds = time.perf_counter() - started
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
        is_best = self.best.observe(row, stage.judged, logits)
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
        batches = stage.inputs.train.batches(len(self.rows))
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
            monitor=self.settings.monitor,
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
        state.put_random_generators(generators)
        state.facts |= {
            "stage_index": self.stage_index,
            "rows": [asdict(row) for row in self.rows],
            "best": None if self.best.row is None else asdict(self.best.row),
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
        best = state.facts["best"]
        self.best = BestModel(
            self.settings.monitor,
            None if best is None else EpochRow(**best),
            state.get_weights("best"),
            state.get_tensors("best_validation").get("logits"),
        )
