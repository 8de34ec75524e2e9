"""How fast this machine reads, answers and learns, from a few pictures and a copy of the network."""

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

_IMAGES_ON_CPU, _IMAGES_ON_GPU = 16, 128
"""Pictures of 224 px; of smaller ones more, since little else is as long for few of them as for many."""
_MAX_PASSES, _MEASURING_SECONDS = 8, 2.0


class Speed(NamedTuple):
    """Seconds a picture, reading it included: to predict it and, by phase that reads pictures, to learn from it."""

    predicting: float
    learning: Mapping[str, float]


def measure_speed(plan: Plan, classifier: Classifier, train: ImageTable, runtime: Runtime) -> Speed:
    """Measure with some of the training pictures; nothing is learned.

    What several processes do at the same time takes each picture a fraction of it.
    """
    few = _take_few(plan, train, runtime)
    alone, count = replace(runtime, processes=ALONE), runtime.processes.count
    readers = max(1, plan.reading.workers)
    learning = {
        phase.name: _time_learning(plan, phase, copy.deepcopy(classifier), few, alone, readers) / count
        for phase in plan.phases
        if not phase.views
    }
    return Speed(_time_predicting(plan, classifier, few, alone, readers) / count, learning)


def _take_few(plan: Plan, train: ImageTable, runtime: Runtime) -> ImageTable:
    most = _IMAGES_ON_CPU if runtime.device.type == "cpu" else _IMAGES_ON_GPU
    most = max(most, most * 224**2 // plan.preprocess.image_size**2)
    images = max(2, min(most, plan.training.batch_size // runtime.processes.count))
    return train.take(np.resize(np.arange(len(train)), images))


@torch.inference_mode()
def _time_predicting(plan: Plan, classifier: Classifier, few: ImageTable, runtime: Runtime, readers: int) -> float:
    dataset = ImageDataset(few, plan.preprocess, max_pixels=plan.reading.max_pixels)
    loader = build_evaluation_loader(dataset, batch_size=len(few), workers=0)
    with evaluating(classifier):
        forward = ForwardPass(classifier, prepare_images(plan.preprocess, runtime), runtime)
        return _time_passes(loader, lambda _: PredictionStep(forward, runtime.processes), readers)


def _time_learning(
    plan: Plan, phase: PhasePlan, classifier: Classifier, few: ImageTable, runtime: Runtime, readers: int
) -> float:
    classifier.set_trainable(phase.train, frozen_batchnorm=phase.frozen_batchnorm)
    classifier.train()
    policy = "none" if phase.augment == CUSTOM_AUGMENT else phase.augment
    augment = build_augment(policy, scale_size(plan.preprocess.image_size, phase.image_scale))
    dataset = ImageDataset(few, plan.preprocess, augment, seed=plan.seed, max_pixels=plan.reading.max_pixels)
    loader = build_train_loader(dataset, batch_size=len(few), seed=plan.seed, workers=0)
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

    return _time_passes(loader, start, readers)


def _time_passes(loader: TrainLoader | EvaluationLoader, start: Callable[[int], Step], readers: int) -> float:
    """Return the seconds a picture of the fastest of some passes; the first one has to warm up.

    Reading is measured here in this process; several that read meanwhile share it.
    """
    began, fastest = time.perf_counter(), math.inf
    for epoch in range(_MAX_PASSES):
        started = time.perf_counter()
        images = run_epoch(loader.batches(epoch), start(epoch)).images
        seconds = time.perf_counter() - started
        reading = loader.waiting_seconds
        if epoch:
            fastest = min(fastest, (seconds if readers == 1 else max(reading / readers, seconds - reading)) / images)
        if epoch > 1 and time.perf_counter() - began > _MEASURING_SECONDS:
            break
    return fastest
