"""Trains one epoch of a phase, and validates it."""

import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from discern.data.reading.loaders import Batch
from discern.engine.forward import predict_logits
from discern.engine.loop import EpochAverages, run_epoch
from discern.engine.optimizers import get_learning_rate
from discern.errors import TrainingError
from discern.evaluation.custom_metrics import MetricFunction, compute_custom_metrics
from discern.planning.plan import TrainingPlan
from discern.runtime import Runtime
from discern.seconds import measuring
from discern.training.batches import TrainingData
from discern.training.deadline import Deadline
from discern.training.exact_head import solve_phase
from discern.training.history import EpochRow
from discern.training.listeners import ListenedStep, Listener
from discern.training.meter import LoaderMeter
from discern.training.phase import Phase

logger = logging.getLogger("discern")


class Epoch(NamedTuple):
    """An epoch that is over.

    `validation_logits` (V, K) exist if there is a validation split. `was_cut` says whether the time budget ended it
    before its last batch.
    """

    row: EpochRow
    validation_logits: Tensor | None
    was_cut: bool


class EpochRunner:
    """Trains and validates epochs of any phase.

    Args:
        training: What holds for all phases.
        data: The pictures.
        runtime: Device, precision and processes.
        metrics: The user's own, computed on the validation pictures, before calibration.
        listeners: Called after each batch.
        deadline: When an epoch ends early.
    """

    def __init__(
        self,
        training: TrainingPlan,
        data: TrainingData,
        runtime: Runtime,
        *,
        metrics: Mapping[str, MetricFunction],
        listeners: Sequence[Listener],
        deadline: Deadline | None,
    ) -> None:
        self._training = training
        self._data = data
        self._runtime = runtime
        self._metrics = metrics
        self._listeners = listeners
        self._deadline = deadline
        self._meter = LoaderMeter(data.workers)
        self._was_cut = False

    def run(self, phase: Phase, number: int) -> Epoch:
        """Train and validate epoch `number` of the whole run, counted from 1.

        Raises:
            TrainingError: The loss is not finite, or the phase asks for something that does not fit its pictures.
        """
        self._was_cut = False
        started = time.perf_counter()
        with measuring("training"):
            train = self._solve(phase) if phase.plan.head_solver == "lbfgs" else self._train(phase, number)
        training_seconds = time.perf_counter() - started
        phase.prepare_evaluation()
        with measuring("validation"):
            logits, validation = self._validate(phase, number)
        row = EpochRow(
            phase=phase.plan.name,
            epoch=number,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            learning_rate=get_learning_rate(phase.optimizer),
            seconds=time.perf_counter() - started,
            images_per_second=train.images / training_seconds,
            metrics=self._measure(logits),
        )
        return Epoch(row, logits, self._was_cut)

    def _train(self, phase: Phase, number: int) -> EpochAverages:
        phase.classifier.train()
        phase.step.start_epoch(phase.epochs_done)
        started = time.perf_counter()
        # The order of the pictures depends on the epoch of the whole run, so that no phase repeats that of another.
        batches = self._until_deadline(phase.inputs.train.batches(number - 1))
        train = run_epoch(batches, ListenedStep(phase.step, self._listeners), self._runtime.processes)
        if not phase.inputs.views:
            self._meter.observe(
                images=train.images,
                batches=len(phase.inputs.train),
                waiting_seconds=phase.inputs.train.waiting_seconds,
                training_seconds=time.perf_counter() - started,
                cached=self._data.keeps_pictures,
            )
        return train

    def _until_deadline(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches until the deadline; all of them with several processes, which must end an epoch together."""
        for number, batch in enumerate(batches):
            in_time = self._deadline is None or self._deadline.left_seconds() > 0
            if number and not in_time and self._runtime.processes.count == 1:
                logger.info("the time budget is used up: the epoch ends after %d batches", number)
                self._was_cut = True
                return
            yield batch

    def _solve(self, phase: Phase) -> EpochAverages:
        """Set the head to the exact solution and return averages over the training pictures."""
        features = solve_phase(phase.plan, phase.inputs, phase.classifier, self._training, self._data)
        batches = self._data.build_evaluation_loader_over(features, self._data.train).batches()
        return predict_logits(phase.evaluated_network, batches, phase.inputs.prepare, self._runtime)[1]

    def _validate(self, phase: Phase, number: int) -> tuple[Tensor | None, EpochAverages]:
        """Return the logits (V, K) of the validation pictures, and averages over them."""
        if phase.inputs.validation is None:
            return None, EpochAverages(math.nan, math.nan, 0)
        self._runtime.processes.share_buffers(phase.evaluated)
        batches = phase.inputs.validation.batches()
        logits, validation = predict_logits(phase.evaluated_network, batches, phase.inputs.prepare, self._runtime)
        if not math.isfinite(validation.loss):
            raise TrainingError(
                f"the validation loss is {validation.loss} after epoch {number}; a lower learning rate or clip_norm=1 "
                "usually helps"
            )
        return logits, validation

    def _measure(self, logits: Tensor | None) -> dict[str, float]:
        if logits is None or not self._metrics:
            return dict.fromkeys(self._metrics, math.nan)
        probabilities = logits.double().softmax(dim=1).numpy()
        return compute_custom_metrics(self._metrics, self._data.validation.targets(), probabilities)
