"""Carries out a training plan, stage by stage and epoch by epoch, so that it can be interrupted anywhere."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from discern.config.settings import TrainingSettings
from discern.errors import TrainingError
from discern.inference import predict_logits
from discern.loop import EpochAverages, run_epoch
from discern.models.classifier import Classifier
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.history import EpochRow
from discern.training.listeners import Announced, Listener
from discern.training.optimizers import get_learning_rate
from discern.training.plan import check_plan
from discern.training.stage import Stage
from discern.training.state import TrainingState
from discern.training.stopping import BestModel


@dataclass(frozen=True)
class FitResult:
    """All epochs of a training, and the one whose weights the classifier holds now."""

    rows: tuple[EpochRow, ...]
    best: EpochRow


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
        check_plan(settings.stages, classifier.stage_names)
        self.classifier = classifier
        self.settings = settings
        self.data = data
        self.runtime = runtime
        self.state_folder = state_folder
        self.listeners = listeners
        self.rows: list[EpochRow] = []
        self.best = BestModel(settings.monitor)
        self.stage_index = 0
        self.saved_epochs = 0
        self._validation_loader = data.build_validation_loader() if len(data.validation) else None

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
            for listener in self.listeners:
                listener.on_end()
        self._load_best_weights()
        if self.best.row is None:
            raise TrainingError("no epoch was trained; each stage of the plan needs at least one")
        return FitResult(tuple(self.rows), self.best.row)

    def _run_stage(self, state: TrainingState | None) -> None:
        in_the_middle = state is not None and "stage" in state.facts
        if not in_the_middle:
            # A stage starts from the best model so far, not from where the one before it happened to end.
            self._load_best_weights()
            if state is not None:
                state.restore_random_generators()
        stage = Stage(self.settings.stages[self.stage_index], self.settings, self.classifier, self.data, self.runtime)
        if state is not None and in_the_middle:
            stage.restore(state)
            # Last, since building a stage may have drawn numbers that the uninterrupted run did not draw here.
            state.restore_random_generators()
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
            listener.on_epoch_start(stage.settings, stage.epochs_done + 1, len(stage.loader))
        self.classifier.train()
        stage.step.start_epoch(stage.epochs_done)
        started = time.perf_counter()
        train = self._train(stage)
        training_seconds = time.perf_counter() - started
        judged = self.classifier if stage.average is None else stage.average.classifier
        validation = self._validate(judged)
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
        is_best = self.best.observe(row, judged)
        for listener in self.listeners:
            listener.on_epoch_end(self.rows, is_best=is_best)
        return row

    def _train(self, stage: Stage) -> EpochAverages:
        # The order of the pictures depends on the epoch over the whole run, so that no two stages repeat one.
        batches = stage.loader.batches(len(self.rows))
        try:
            return run_epoch(batches, Announced(stage.step, self.listeners))
        except TrainingError as error:
            raise TrainingError(f"{error}. {self._describe_last_good_state()}") from None

    def _validate(self, classifier: nn.Module) -> EpochAverages:
        if self._validation_loader is None:
            return EpochAverages(float("nan"), float("nan"), 0)
        batches = self._validation_loader.batches()
        _, validation = predict_logits(classifier, batches, self.data.preprocess, self.runtime)
        if not math.isfinite(validation.loss):
            raise TrainingError(
                f"the validation loss is {validation.loss} after epoch {len(self.rows) + 1}; a lower learning rate or "
                f"clip_norm=1 usually mends that. {self._describe_last_good_state()}"
            )
        return validation

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
        state = TrainingState()
        state.put_tensors("classifier", self.classifier.state_dict())
        state.put_tensors("best", self.best.weights or {})
        state.put_random_generators()
        state.facts |= {
            "stage_index": self.stage_index,
            "rows": [asdict(row) for row in self.rows],
            "best": None if self.best.row is None else asdict(self.best.row),
        }
        if stage is not None:
            stage.put_into(state)
        state.save(self.state_folder)
        self.saved_epochs = len(self.rows)

    def _restore(self, state: TrainingState) -> None:
        self.classifier.load_state_dict(state.get_tensors("classifier"))
        self.stage_index = state.facts["stage_index"]
        self.rows = [EpochRow(**row) for row in state.facts["rows"]]
        self.saved_epochs = len(self.rows)
        best = state.facts["best"]
        self.best = BestModel(
            self.settings.monitor, None if best is None else EpochRow(**best), state.get_tensors("best")
        )
