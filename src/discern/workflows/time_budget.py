"""Keeping a run within its budget: how fast this machine is with these pictures, and the plan that follows."""

import copy
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from discern.budget import Budget
from discern.config.settings import StageSettings
from discern.data.loaders import Batch
from discern.inference import ForwardPass, evaluating, prepare_images
from discern.models.classifier import HEAD, Classifier
from discern.processes import ALONE
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.optimizers import build_optimizer
from discern.training.time_plan import Counts, Speed, plan_in_time
from discern.workflows.preparation import Prepared, build_training_data

logger = logging.getLogger("discern")

_MEASURED_IMAGES = 16


def plan_for_budget(prepared: Prepared, classifier: Classifier, budget: Budget) -> Prepared:
    """Return what fits into the budget of what was prepared, with the plan among the choices."""
    data = build_training_data(prepared, classifier.backbone)
    settings, choices = prepared.settings, dict(prepared.environment["choices"])
    plan = plan_in_time(
        settings.training,
        measure_speed(classifier, settings.training.stages, data, prepared.runtime),
        _count(prepared, data),
        seconds=budget.seconds,
        spent_seconds=budget.spent_seconds(),
        extensible=[stage.name for stage in settings.training.stages if f"{stage.name}.epochs" in choices],
    )
    logger.info("plan: %s", plan.words)
    environment = prepared.environment | {
        "choices": choices | {"run.budget": plan.words},
        "budget": {"reserve_seconds": plan.reserve_seconds, "most_epochs": plan.most_epochs},
    }
    settings = settings.model_copy(update={"training": plan.training})
    return replace(prepared, settings=settings, environment=environment)


def measure_speed(
    classifier: Classifier, stages: tuple[StageSettings, ...], data: TrainingData, runtime: Runtime
) -> Speed:
    """Measure with some of the pictures and a copy of the network, so that nothing is learned yet."""
    rows = np.resize(np.arange(len(data.train)), _MEASURED_IMAGES)
    few = replace(
        data, train=data.train.take(rows), batch_size=_MEASURED_IMAGES, workers=0, processes=ALONE, cache=None
    )
    learning = {
        stage.name: _time_learning(copy.deepcopy(classifier), stage, few, runtime)
        for stage in stages
        if stage.train != (HEAD,)
    }
    return Speed(_time_answering(classifier, few, runtime), learning)


def _count(prepared: Prepared, data: TrainingData) -> Counts:
    test = len(prepared.table.select("test")) if prepared.settings.run.evaluate_test else 0
    return Counts(len(data.train), len(data.validation), test, data.num_classes)


@torch.inference_mode()
def _time_answering(classifier: Classifier, few: TrainingData, runtime: Runtime) -> float:
    loader = few.build_evaluation_loader(few.train, batch_size=_MEASURED_IMAGES)
    with evaluating(classifier):
        forward = ForwardPass(classifier, prepare_images(few.preprocess, runtime), runtime)
        return _time(lambda _: loader.batches(), lambda batch: forward(batch.images).float().mean().item())


def _time_learning(trained: Classifier, stage: StageSettings, few: TrainingData, runtime: Runtime) -> float:
    trained.set_trainable(stage.train, frozen_batchnorm=stage.frozen_batchnorm is True)
    trained.train()
    loader = few.build_train_loader(stage.augment, image_scale=stage.image_scale)
    optimizer = build_optimizer(trained, stage)
    prepare = prepare_images(few.preprocess, runtime)

    def learn(batch: Batch) -> float:
        with runtime.autocast():
            logits = trained(prepare(batch.images))
        loss = functional.cross_entropy(logits.float(), batch.targets.to(logits.device))
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return _time(loader.batches, learn)


def _time(batches: Callable[[int], Iterator[Batch]], step: Callable[[Batch], float]) -> float:
    """Return the seconds a picture of the second pass, since the first one has to warm up."""
    seconds = 0.0
    for epoch in range(2):
        started = time.perf_counter()
        for batch in batches(epoch):
            step(batch)
        seconds = time.perf_counter() - started
    return seconds / _MEASURED_IMAGES
