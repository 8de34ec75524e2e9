"""The inputs of a phase: pictures, or their features if the first part of the network is frozen."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.loaders import EvaluationLoader, TrainLoader
from discern.data.table import ImageTable
from discern.engine.features import FeatureJob, load_or_compute_features
from discern.engine.forward import prepare_images
from discern.errors import RunFolderError
from discern.models.classifier import HEAD, Classifier
from discern.models.cutting import cut_classifier
from discern.planning.plan import CUSTOM_AUGMENT, PhasePlan
from discern.runtime import Runtime
from discern.training.batches import TrainingData

logger = logging.getLogger("discern")


class PooledFeatures(NamedTuple):
    """Features (M, F) of the training pictures in the feature bank, and (V, F) of validation pictures, on the CPU.

    Those of training pictures are None where they were augmented.
    """

    train: Tensor | None
    validation: Tensor


@dataclass(frozen=True)
class PhaseInputs:
    """The batches of a phase, and how to pass them to the network.

    `prepare` turns a batch into inputs on the device; `network_of` returns the part of a classifier that takes them.
    `views` is 0 for pictures, otherwise the number V of views in `train_features` (V, N, ...). `validation_features`
    (1, N, ...) are None without a validation split.
    """

    train: TrainLoader
    validation: EvaluationLoader | None
    prepare: Callable[[Tensor], Tensor]
    views: int = 0
    train_features: Tensor | None = None
    validation_features: Tensor | None = None

    def pool(self, classifier: Classifier, rows: npt.NDArray[np.int64]) -> PooledFeatures | None:
        """Return the features of the last map for these training rows and validation; None if they are not pooled."""
        train, validation = self.train_features, self.validation_features
        if classifier.trainable_parts != (HEAD,) or train is None or validation is None:
            return None
        select = classifier.backbone.select_last
        kept = select(train[0][torch.from_numpy(rows)]).float() if self.views == 1 else None
        return PooledFeatures(kept, select(validation[0]).float())

    def network_of(self, classifier: Classifier) -> nn.Module:
        """Return the part of a classifier, frozen as in this phase, that takes the batches."""
        halves = cut_classifier(classifier) if self.views else None
        return classifier if halves is None else halves.trained


def build_inputs(
    phase: PhasePlan, classifier: Classifier, data: TrainingData, runtime: Runtime, *, views: int | None = None
) -> PhaseInputs:
    """Return the inputs of a phase, for whose plan `classifier` must already be frozen.

    Args:
        phase: Its plan; if there is no room for the planned features, pictures are read.
        classifier: On the device.
        data: The pictures.
        runtime: Device, precision and processes.
        views: Of an interrupted run; as planned by default.

    Raises:
        RunFolderError: An interrupted run used features, and there is no room for them now.
    """
    planned = phase.views if views is None else views
    if planned:
        found = _build_feature_inputs(phase, classifier, data, runtime, planned)
        if found is not None:
            return found
        if views is not None:
            raise RunFolderError(
                f"phase {phase.name} was started with features of its pictures, for which there is no room now; make "
                "room in memory or in the cache (cache.folder, cache.limit_gigabytes), or start a new run"
            )
    train = data.build_train_loader(phase.augment, image_scale=phase.image_scale, kept=phase.picture_cache)
    validation = None
    if len(data.validation):
        validation = data.build_evaluation_loader(data.validation, kept=phase.picture_cache, decodes_whole=True)
    return PhaseInputs(train, validation, prepare_images(data.preprocess, runtime))


def _build_feature_inputs(
    phase: PhasePlan, classifier: Classifier, data: TrainingData, runtime: Runtime, views: int
) -> PhaseInputs | None:
    halves = cut_classifier(classifier)
    if halves is None:
        return None
    backbone, first_trained = classifier.backbone.key, classifier.trainable_parts[0]
    prepare = prepare_images(data.preprocess, runtime)
    augment, kept = phase.augment, phase.picture_cache
    train = _load_features(
        halves.frozen,
        data.train,
        lambda table: data.build_feature_job(table, backbone, first_trained, augment, views, prepare, kept),
        data,
        runtime,
        # A callable has no key, so its features cannot be found in the cache.
        None if augment == CUSTOM_AUGMENT else data.cache,
    )
    if train is None:
        return None
    if phase.is_augmented:
        logger.debug(
            "phase %s trains on features of %d augmented views of each picture; cache.features=off takes a new view in "
            "every epoch",
            phase.name,
            views,
        )
    validation, validation_loader = None, None
    if len(data.validation):
        validation = _load_features(
            halves.frozen,
            data.validation,
            lambda table: data.build_feature_job(
                table, backbone, first_trained, "none", 1, prepare, decodes_whole=True
            ),
            data,
            runtime,
            data.cache,
        )
        if validation is None:
            return None
        validation_loader = data.build_evaluation_loader_over(validation, data.validation)
    return PhaseInputs(data.build_train_loader_over(train), validation_loader, runtime.move, views, train, validation)


def _load_features(
    frozen: nn.Module,
    table: ImageTable,
    build_job: Callable[[ImageTable], FeatureJob],
    data: TrainingData,
    runtime: Runtime,
    cache: ArrayCache | None,
) -> Tensor | None:
    """Return the features (V, N, ...) of a table; those of all folds are computed at once, if memory has room."""
    memory_bytes = data.feature_memory_bytes
    if data.pool is not None and cache is not None:
        shared = load_or_compute_features(
            frozen, build_job(data.pool), runtime, cache, memory_bytes=memory_bytes, only_in_memory=True
        )
        if shared is not None:
            return shared[:, torch.from_numpy(data.pool.find_rows(table))]
    return load_or_compute_features(frozen, build_job(table), runtime, cache, memory_bytes=memory_bytes)
