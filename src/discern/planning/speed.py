"""Measures how fast this machine predicts and trains, with a few pictures and a copy of the network."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from discern.data.reading.augment import build_augment
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import EvaluationLoader, TrainLoader, build_evaluation_loader, build_train_loader
from discern.data.reading.preprocess import scale_size
from discern.data.table import ImageTable
from discern.engine.forward import ForwardPass, PredictionStep, evaluating, prepare_images
from discern.engine.loop import Step, run_epoch
from discern.engine.optimizers import build_optimizer
from discern.engine.train_step import TrainStep, prepare_network
from discern.models.classifier import Classifier
from discern.planning.plan import CUSTOM_AUGMENT, PhasePlan, Plan
from discern.processes import ALONE
from discern.runtime import Runtime

_MEASURING_SECONDS = 2.0


class Speed(NamedTuple):
    """Seconds per picture, reading included: for prediction, and for training in each phase that reads pictures."""

    prediction_seconds: float
    training_seconds: Mapping[str, float]


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


class _Timing(NamedTuple):
    """The number of passes, and that of the processes that will read pictures at the same time."""

    passes: int
    readers: int


def measure_speed(
    plan: Plan, classifier: Classifier, train: ImageTable, runtime: Runtime, effort: Effort = THOROUGH
) -> Speed:
    """Measure with some of the training pictures, without changing the network.

    Several processes share the pictures, so the seconds per picture are divided by their number.
    """
    sample = _take_sample(plan, train, runtime, effort)
    alone, count = replace(runtime, processes=ALONE), runtime.processes.count
    timing = _Timing(effort.passes, readers=max(1, plan.reading.workers))
    training_seconds = {
        phase.name: _time_training(plan, phase, copy.deepcopy(classifier), sample, alone, timing) / count
        for phase in plan.phases
        if not phase.views
    }
    return Speed(_time_prediction(plan, classifier, sample, alone, timing) / count, training_seconds)


def _take_sample(plan: Plan, train: ImageTable, runtime: Runtime, effort: Effort) -> ImageTable:
    max_images = effort.images_on_cpu if runtime.device.type == "cpu" else effort.images_on_gpu
    max_images = max(max_images, max_images * 224**2 // plan.preprocess.image_size**2)
    images = max(2, min(max_images, plan.training.batch_size // runtime.processes.count))
    return train.take(np.resize(np.arange(len(train)), images))


@torch.inference_mode()
def _time_prediction(
    plan: Plan, classifier: Classifier, sample: ImageTable, runtime: Runtime, timing: _Timing
) -> float:
    dataset = ImageDataset(sample, plan.preprocess, max_pixels=plan.reading.max_pixels)
    loader = build_evaluation_loader(dataset, batch_size=len(sample), workers=0)
    with evaluating(classifier):
        forward = ForwardPass(classifier, prepare_images(plan.preprocess, runtime), runtime)
        return _time_passes(loader, lambda _: PredictionStep(forward, runtime.processes), timing)


def _time_training(
    plan: Plan, phase: PhasePlan, classifier: Classifier, sample: ImageTable, runtime: Runtime, timing: _Timing
) -> float:
    classifier.set_trainable(phase.train, frozen_batchnorm=phase.frozen_batchnorm)
    classifier.train()
    policy = "none" if phase.augment == CUSTOM_AUGMENT else phase.augment
    augment = build_augment(policy, scale_size(plan.preprocess.image_size, phase.image_scale))
    dataset = ImageDataset(sample, plan.preprocess, augment, seed=plan.seed, max_pixels=plan.reading.max_pixels)
    loader = build_train_loader(dataset, batch_size=len(sample), seed=plan.seed, workers=0)
    step = TrainStep(
        prepare_network(classifier, frozen_batchnorm=phase.frozen_batchnorm, runtime=runtime),
        build_optimizer(
            phase.optimizer,
            classifier,
            learning_rate=phase.learning_rate,
            layer_decay=phase.layer_decay,
            weight_decay=phase.weight_decay,
            momentum=phase.momentum,
        ),
        prepare_images(plan.preprocess, runtime),
        runtime,
        rate_factor=lambda _: 1.0,
        batches_per_epoch=len(loader),
    )

    def start(epoch: int) -> TrainStep:
        step.start_epoch(epoch)
        return step

    return _time_passes(loader, start, timing)


def _time_passes(loader: TrainLoader | EvaluationLoader, start: Callable[[int], Step], timing: _Timing) -> float:
    """Return the seconds per picture of the fastest of several passes, after one to warm up.

    Pictures are read in this process; several readers at the same time would share that work.
    """
    readers = timing.readers
    began, fastest = time.perf_counter(), math.inf
    for epoch in range(timing.passes):
        started = time.perf_counter()
        images = run_epoch(loader.batches(epoch), start(epoch)).images
        seconds = time.perf_counter() - started
        reading = loader.waiting_seconds
        if epoch:
            fastest = min(fastest, (seconds if readers == 1 else max(reading / readers, seconds - reading)) / images)
        if epoch > 1 and time.perf_counter() - began > _MEASURING_SECONDS:
            break
    return fastest
