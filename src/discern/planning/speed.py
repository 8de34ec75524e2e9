"""Measures how fast this machine predicts and trains, with a few pictures and a copy of the network."""

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from discern.data.reading.augment import build_augment
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import EvaluationLoader, TrainLoader, build_evaluation_loader, build_train_loader
from discern.data.reading.preprocess import Preprocess, scale_size
from discern.data.table import ImageTable
from discern.engine.forward import ForwardPass, PredictionStep, evaluating, prepare_images
from discern.engine.loop import Step, run_epoch
from discern.engine.optimizers import build_optimizer
from discern.engine.train_step import TrainStep, prepare_network
from discern.models.backbone import Backbone
from discern.models.classifier import Classifier
from discern.models.costs import count_flops
from discern.planning.plan import CUSTOM_AUGMENT, PhasePlan, Plan
from discern.processes import ALONE
from discern.runtime import Runtime

_MEASURING_SECONDS = 2.0


class Speed(NamedTuple):
    """Seconds per picture, reading included: for prediction, and for training in each phase that reads pictures."""

    prediction_seconds: float
    training_seconds: Mapping[str, float]

    def times(self, factor: float) -> "Speed":
        """Return the speed with pictures that take `factor` times as long."""
        training = {name: seconds * factor for name, seconds in self.training_seconds.items()}
        return Speed(self.prediction_seconds * factor, training)


class StartCost(NamedTuple):
    """What one picture costs: multiply-adds of the backbone, seconds for reading, its forward pass, and training.

    `training_seconds` are those of each phase that reads pictures; `num_features` is the length F of the features.
    """

    multiply_adds: int
    reading_seconds: float
    forward_seconds: float
    training_seconds: Mapping[str, float]
    num_features: int


class MeasuredReading(NamedTuple):
    """How the pictures of a measurement are read; `readers` processes will do it at the same time."""

    preprocess: Preprocess
    max_pixels: int
    seed: int
    readers: int


class Effort(NamedTuple):
    """How much a measurement may take.

    The pictures of a pass are so many of 224 px, and more of smaller ones, so that overheads do not dominate; of the
    `passes` the first is to warm up.
    """

    images_on_cpu: int
    images_on_gpu: int
    passes: int


THOROUGH = Effort(16, 128, 8)
QUICK = Effort(8, 64, 2)


def measure_speed(
    plan: Plan, classifier: Classifier, train: ImageTable, runtime: Runtime, effort: Effort = THOROUGH
) -> Speed:
    """Measure with some of the training pictures, without changing the network.

    Several processes share the pictures, so the seconds per picture are divided by their number.
    """
    max_images = _count_images(plan.preprocess, runtime, effort)
    sample = _resize(train, max(2, min(max_images, plan.training.batch_size // runtime.processes.count)))
    alone, count = replace(runtime, processes=ALONE), runtime.processes.count
    readers = max(1, plan.reading.workers)
    reading = MeasuredReading(plan.preprocess, plan.reading.max_pixels, plan.seed, readers)
    training_seconds = _time_phases(plan.phases, reading, classifier, sample, alone, effort)
    return Speed(
        _time_prediction(reading, classifier, sample, alone, effort) / count,
        {name: seconds / count for name, seconds in training_seconds.items()},
    )


def measure_start_cost(
    phases: Sequence[PhasePlan],
    reading: MeasuredReading,
    classifier: Classifier,
    train: ImageTable,
    runtime: Runtime,
) -> StartCost:
    """Measure what a network costs in these phases, whatever its weights, with some of the training pictures."""
    sample = _resize(train, _count_images(reading.preprocess, runtime, QUICK))
    runtime.place(classifier)
    reading_seconds, forward_seconds = _time_forward(reading, classifier.backbone, sample, runtime)
    return StartCost(
        # Half of the operations, which count a multiplication and an addition each.
        count_flops(classifier.backbone, reading.preprocess.image_size) // 2,
        reading_seconds / reading.readers,
        forward_seconds,
        _time_phases(phases, reading, classifier, sample, runtime, QUICK),
        classifier.backbone.num_features,
    )


def _count_images(preprocess: Preprocess, runtime: Runtime, effort: Effort) -> int:
    images = effort.images_on_cpu if runtime.device.type == "cpu" else effort.images_on_gpu
    return max(images, images * 224**2 // preprocess.image_size**2)


def _resize(train: ImageTable, images: int) -> ImageTable:
    """Return so many rows of a table, which repeat where it has fewer."""
    return train.take(np.resize(np.arange(len(train)), images))


@torch.inference_mode()
def _time_forward(
    reading: MeasuredReading, backbone: Backbone, sample: ImageTable, runtime: Runtime
) -> tuple[float, float]:
    """Return the seconds per picture for reading, and for the forward pass alone."""
    dataset = ImageDataset(sample, reading.preprocess, max_pixels=reading.max_pixels)
    loader = build_evaluation_loader(dataset, batch_size=len(sample), workers=0)
    batch = next(loader.batches())
    fastest = math.inf
    with evaluating(backbone):
        forward = ForwardPass(backbone, prepare_images(reading.preprocess, runtime), runtime)
        for is_warm in (False, True, True):
            started = time.perf_counter()
            forward(batch.images).sum().item()  # waits for a GPU
            if is_warm:
                fastest = min(fastest, time.perf_counter() - started)
    return loader.waiting_seconds / len(sample), fastest / len(sample)


@torch.inference_mode()
def _time_prediction(
    reading: MeasuredReading, classifier: Classifier, sample: ImageTable, runtime: Runtime, effort: Effort
) -> float:
    dataset = ImageDataset(sample, reading.preprocess, max_pixels=reading.max_pixels)
    loader = build_evaluation_loader(dataset, batch_size=len(sample), workers=0)
    with evaluating(classifier):
        forward = ForwardPass(classifier, prepare_images(reading.preprocess, runtime), runtime)
        return _time_passes(loader, lambda _: PredictionStep(forward, runtime.processes), effort, reading.readers)


def _time_phases(
    phases: Sequence[PhasePlan],
    reading: MeasuredReading,
    classifier: Classifier,
    sample: ImageTable,
    runtime: Runtime,
    effort: Effort,
) -> dict[str, float]:
    """Return the seconds per picture of each phase that reads pictures, measured with copies of the network."""
    return {
        phase.name: _time_training(phase, reading, copy.deepcopy(classifier), sample, runtime, effort)
        for phase in phases
        if not phase.views
    }


def _time_training(
    phase: PhasePlan,
    reading: MeasuredReading,
    classifier: Classifier,
    sample: ImageTable,
    runtime: Runtime,
    effort: Effort,
) -> float:
    classifier.set_trainable(phase.train, frozen_batchnorm=phase.frozen_batchnorm)
    classifier.train()
    policy = "none" if phase.augment == CUSTOM_AUGMENT else phase.augment
    augment = build_augment(policy, scale_size(reading.preprocess.image_size, phase.image_scale))
    dataset = ImageDataset(sample, reading.preprocess, augment, seed=reading.seed, max_pixels=reading.max_pixels)
    loader = build_train_loader(dataset, batch_size=len(sample), seed=reading.seed, workers=0)
    step = TrainStep(
        prepare_network(classifier, frozen_batchnorm=phase.frozen_batchnorm, runtime=runtime),
        build_optimizer(
            phase.optimizer,
            classifier,
            learning_rate=phase.learning_rate,
            layer_decay=phase.layer_decay,
            proportional_rates=phase.proportional_rates,
            weight_decay=phase.weight_decay,
            momentum=phase.momentum,
        ),
        prepare_images(reading.preprocess, runtime),
        runtime,
        rate_factor=lambda _: 1.0,
        batches_per_epoch=len(loader),
    )

    def start(epoch: int) -> TrainStep:
        step.start_epoch(epoch)
        return step

    return _time_passes(loader, start, effort, reading.readers)


def _time_passes(
    loader: TrainLoader | EvaluationLoader, start: Callable[[int], Step], effort: Effort, readers: int
) -> float:
    """Return the seconds per picture of the fastest of several passes, after one to warm up.

    Pictures are read in this process; several readers at the same time would share that work.
    """
    began, fastest = time.perf_counter(), math.inf
    for epoch in range(effort.passes):
        started = time.perf_counter()
        images = run_epoch(loader.batches(epoch), start(epoch)).images
        seconds = time.perf_counter() - started
        reading = loader.waiting_seconds
        if epoch:
            fastest = min(fastest, (seconds if readers == 1 else max(reading / readers, seconds - reading)) / images)
        if epoch > 1 and time.perf_counter() - began > _MEASURING_SECONDS:
            break
    return fastest
