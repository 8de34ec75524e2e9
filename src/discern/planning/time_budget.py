"""Keeping a run within its budget: how fast this machine is with these pictures, and the plan that follows."""

import copy
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from discern.config.duration import parse_duration
from discern.config.settings import PhaseSettings, TrainingSettings
from discern.data.reading.loaders import Batch, EvaluationLoader, TrainLoader
from discern.engine.features import choose_views
from discern.engine.forward import ForwardPass, evaluating, prepare_images
from discern.engine.optimizers import build_optimizer
from discern.models.acceleration.accelerate import accelerate_training
from discern.models.classifier import HEAD, Classifier
from discern.planning.budget import Budget
from discern.planning.phases import HEAD_EPOCHS, choose_pretrained_augment
from discern.planning.preparation import Prepared, build_training_data
from discern.planning.time_plan import Counts, Speed, may_end_early, plan_in_time
from discern.processes import ALONE
from discern.runtime import Runtime
from discern.training.batches import TrainingData

logger = logging.getLogger("discern")

_MEASURED_ON_CPU, _MEASURED_ON_GPU = 16, 128
"""Pictures of 224 px; of smaller ones more, since little else is as long for few of them as for many."""
_MOST_PASSES, _MEASURING_SECONDS = 8, 2.0
_SOLVER_PASSES = 1500
"""Of an exact head over the training pictures: some strengths, in three folds and once more, a hundred steps each."""
_SOLVER_FLOPS = 2e10
_MOST_SOLVING = 0.2
"""Share of a budget."""


def build_budget(prepared: Prepared, started: float) -> Budget | None:
    """Return the budget of a run that was planned for one; None where it was not.

    Args:
        prepared: The run.
        started: The moment of `time.monotonic()` at which it was asked for.
    """
    budget = prepared.settings.run.budget
    return None if budget is None else Budget(parse_duration(budget), started, **prepared.environment["budget"])


def plan_for_budget(prepared: Prepared, classifier: Classifier, started: float) -> Prepared:
    """Return what fits into the run's budget, if it has one, of what was prepared, with the plan among the choices."""
    if prepared.settings.run.budget is None:
        return prepared
    data = build_training_data(prepared, classifier.backbone)
    settings, choices = prepared.settings, dict(prepared.environment["choices"])
    seconds = parse_duration(prepared.settings.run.budget)
    training, reasons = _avoid_long_solving(settings.training, choices, classifier, data, seconds)
    choices |= reasons
    plan = plan_in_time(
        training,
        measure_speed(classifier, training, data, prepared.runtime),
        _count(prepared, data),
        seconds=seconds,
        spent_seconds=time.monotonic() - started,
        extensible=[phase.name for phase in training.phases if f"{phase.name}.epochs" in choices],
        in_parts=may_end_early(len(data.validation), prepared.runtime.processes.count),
    )
    logger.info("plan: %s", plan.words)
    phases = []
    for phase in plan.training.phases:
        settled, reasons = _suit_epochs(phase, choices, is_pretrained=settings.model.weights != "none")
        phases.append(settled)
        choices |= reasons
    environment = prepared.environment | {
        "choices": choices | {"run.budget": plan.words},
        "budget": {
            "reserve_seconds": plan.reserve_seconds,
            "most_epochs": plan.most_epochs,
            "lengths": plan.lengths,
        },
    }
    training = plan.training.model_copy(update={"phases": tuple(phases)})
    return replace(prepared, settings=settings.model_copy(update={"training": training}), environment=environment)


def measure_speed(classifier: Classifier, training: TrainingSettings, data: TrainingData, runtime: Runtime) -> Speed:
    """Measure with some of the pictures and a copy of the network, so that nothing is learned yet.

    What several processes do at the same time takes each picture a fraction of it.
    """
    most = _MEASURED_ON_CPU if runtime.device.type == "cpu" else _MEASURED_ON_GPU
    most = max(most, most * 224**2 // data.preprocess.image_size**2)
    images = max(2, min(most, data.batch_size // runtime.processes.count))
    rows = np.resize(np.arange(len(data.train)), images)
    few = replace(
        data, train=data.train.take(rows), batch_size=images, workers=0, processes=ALONE, cache=None, pin_memory=False
    )
    readers = max(1, data.workers)
    views = {
        phase.name: choose_views(phase, training, data.cache_settings, only_head=True)
        for phase in training.phases
        if phase.train == (HEAD,)
    }
    learning = {}
    for phase in training.phases:
        if not views.get(phase.name):
            picture, update = _time_learning(copy.deepcopy(classifier), phase, few, runtime, readers)
            learning[phase.name] = picture / runtime.processes.count + update / data.batch_size
    solves = any(phase.head_solver == "lbfgs" for phase in training.phases)
    return Speed(
        _time_answering(classifier, few, runtime, readers) / runtime.processes.count,
        learning,
        _estimate_solving(classifier, data) if solves else 0.0,
        max([1, *views.values()]),
    )


def _estimate_solving(classifier: Classifier, data: TrainingData) -> float:
    """Return the seconds that an exact head takes for each training picture."""
    return _SOLVER_PASSES * 4 * classifier.backbone.num_features * data.num_classes / _SOLVER_FLOPS


def _avoid_long_solving(
    training: TrainingSettings, choices: Mapping[str, str], classifier: Classifier, data: TrainingData, seconds: float
) -> tuple[TrainingSettings, dict[str, str]]:
    """Have a head learn by gradient where its exact solution, if only chosen, took much of the time; say so."""
    solving = _estimate_solving(classifier, data) * len(data.train)
    phases, reasons = [], {}
    for phase in training.phases:
        name = f"{phase.name}.head_solver"
        if phase.head_solver == "lbfgs" and name in choices and solving > _MOST_SOLVING * seconds:
            phases.append(phase.model_copy(update={"head_solver": "gradient", "epochs": HEAD_EPOCHS}))
            reasons[name] = f"gradient, since the exact solution would take about {solving:.0f} of {seconds:.0f} s"
        else:
            phases.append(phase)
    return training.model_copy(update={"phases": tuple(phases)}), reasons


def _suit_epochs(
    phase: PhaseSettings, choices: Mapping[str, str], *, is_pretrained: bool
) -> tuple[PhaseSettings, dict[str, str]]:
    """Return the phase with what was chosen by its epochs chosen anew, and the reasons."""
    reasons: dict[str, str] = {}
    if f"{phase.name}.epochs" in choices:
        reasons[f"{phase.name}.epochs"] = f"{phase.num_epochs}, as many as the budget allows"
    if f"{phase.name}.augment" in choices and is_pretrained:
        augment, reasons[f"{phase.name}.augment"] = choose_pretrained_augment(phase.num_epochs)
        phase = phase.model_copy(update={"augment": augment})
    return phase, reasons


def _count(prepared: Prepared, data: TrainingData) -> Counts:
    test = len(prepared.table.select("test")) if prepared.settings.run.evaluate_test else 0
    return Counts(len(data.train), len(data.validation), test, data.num_classes)


@torch.inference_mode()
def _time_answering(classifier: Classifier, few: TrainingData, runtime: Runtime, readers: int) -> float:
    loader = few.build_evaluation_loader(few.train, batch_size=few.batch_size)
    with evaluating(classifier):
        forward = ForwardPass(classifier, prepare_images(few.preprocess, runtime), runtime)
        return _time(loader, lambda batch: forward(batch.images).float().mean().item(), readers)


def _time_learning(
    trained: Classifier, phase: PhaseSettings, few: TrainingData, runtime: Runtime, readers: int
) -> tuple[float, float]:
    """Return the seconds a picture and those of an update, which a larger batch does not lengthen."""
    # A BatchNorm that waits for other processes would wait here for ever.
    trained.set_trainable(phase.train, frozen_batchnorm=phase.frozen_batchnorm is True or runtime.processes.count > 1)
    trained.train()
    network: nn.Module = trained
    if runtime.accelerates:
        has_frozen_batchnorm = phase.frozen_batchnorm is True
        network = accelerate_training(
            trained, frozen_batchnorm=has_frozen_batchnorm, device=runtime.device, dtype=runtime.dtype
        )
    optimizer = build_optimizer(
        phase.optimizer,
        trained,
        learning_rate=phase.top_rate,
        layer_decay=phase.block_decay,
        weight_decay=phase.weight_decay,
        momentum=phase.momentum,
    )
    prepare = prepare_images(few.preprocess, runtime)
    updates = []

    def learn(batch: Batch) -> float:
        with runtime.autocast():
            logits = network(prepare(batch.images))
        loss = functional.cross_entropy(logits.float(), batch.targets.to(logits.device))
        loss.backward()  # type: ignore[no-untyped-call]
        reached = loss.item()
        started = time.perf_counter()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        # Reading a number waits for a GPU, as the loss before did.
        next(trained.parameters()).flatten()[0].item()
        updates.append(time.perf_counter() - started)
        return reached

    picture = _time(few.build_train_loader(phase.augment, image_scale=phase.image_scale), learn, readers)
    update = min(updates[1:])
    return max(0.0, picture - update / len(few.train)), update


def _time(loader: TrainLoader | EvaluationLoader, step: Callable[[Batch], float], readers: int) -> float:
    """Return the seconds a picture of the fastest of some passes; the first one has to warm up.

    Reading is measured here in this process; several that read meanwhile share it.
    """
    began, fastest = time.perf_counter(), math.inf
    for epoch in range(_MOST_PASSES):
        started, images = time.perf_counter(), 0
        for batch in loader.batches(epoch):
            step(batch)
            images += len(batch.targets)
        seconds = time.perf_counter() - started
        reading = loader.waiting_seconds
        if epoch:
            fastest = min(fastest, (seconds if readers == 1 else max(reading / readers, seconds - reading)) / images)
        if epoch > 1 and time.perf_counter() - began > _MEASURING_SECONDS:
            break
    return fastest
