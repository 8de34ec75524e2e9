"""What a training reads: one place that turns tables, and features of them, into loaders."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from discern.config.settings import AugmentPolicy, CacheSettings
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.cache_choice import choose_picture_cache
from discern.data.cache.picture_cache import CachePlace, PictureCache, build_picture_cache
from discern.data.reading.augment import Augment, build_augment
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import EvaluationLoader, TrainLoader, build_evaluation_loader, build_train_loader
from discern.data.reading.preprocess import Preprocess
from discern.data.table import ImageTable
from discern.engine.features import FEATURE_BATCH_SIZE, FeatureJob, FeatureReader, compute_feature_key
from discern.processes import ALONE, Processes

logger = logging.getLogger("discern")

_SIZE_STEP, _SMALL_SIZE_STEP = 32, 4


@dataclass(frozen=True)
class TrainingData:
    """The train and validation rows and how they are read.

    `batch_size` is that of all processes together; `workers` are loader processes of each. Features larger than
    `feature_memory_bytes` are kept on disk. `picture_pixels` is the size of a usual picture, where
    it is known; of the `remembered_rows` of train the bundle keeps features.
    """

    train: ImageTable
    validation: ImageTable
    preprocess: Preprocess
    batch_size: int
    seed: int
    workers: int
    max_pixels: int
    class_balanced: bool = False
    processes: Processes = ALONE
    pin_memory: bool = False
    cache_settings: CacheSettings = field(default_factory=CacheSettings)
    cache: ArrayCache | None = None
    feature_memory_bytes: int = 2**30
    remembered_rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    picture_setting: CachePlace | Literal["auto"] = "off"
    picture_pixels: int | None = None
    _pictures: dict[tuple[str, int], PictureCache | None] = field(default_factory=dict, repr=False)

    @property
    def num_classes(self) -> int:
        """The number of classes K."""
        return len(self.train.class_names)

    @property
    def keeps_pictures(self) -> bool:
        """Whether decoded pictures are kept between epochs."""
        return any(pictures is not None for pictures in self._pictures.values())

    def train_targets(self) -> torch.Tensor:
        """Return the targets (N,) of the train rows."""
        return torch.from_numpy(self.train.targets())

    def build_train_loader(self, policy: AugmentPolicy, *, epochs: int = 1, image_scale: float = 1.0) -> TrainLoader:
        """Return shuffled batches under an augmentation policy; pictures read more than once are kept decoded.

        With an `image_scale` they are smaller than those of evaluation, in steps of 32 pixels where they are large.
        """
        augment = build_augment(policy, scale_size(self.preprocess.image_size, image_scale))
        return build_train_loader(
            self._build_dataset(self.train, augment, epochs=epochs),
            batch_size=self.batch_size,
            seed=self.seed,
            workers=self.workers,
            class_balanced=self.class_balanced,
            pin_memory=self.pin_memory,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
        )

    def build_evaluation_loader(
        self, table: ImageTable, policy: AugmentPolicy = "none", *, epochs: int = 1, batch_size: int | None = None
    ) -> EvaluationLoader:
        """Return the pictures of a table, each once and in order; with a policy, augmented anew in every epoch."""
        augment = None if policy == "none" else build_augment(policy, self.preprocess.image_size)
        return build_evaluation_loader(
            self._build_dataset(table, augment, epochs=epochs),
            batch_size=batch_size or 2 * self.batch_size,
            workers=self.workers,
            pin_memory=self.pin_memory,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
        )

    def build_feature_job(
        self,
        table: ImageTable,
        backbone: str,
        first_trained: str,
        policy: AugmentPolicy,
        views: int,
        prepare: Callable[[Tensor], Tensor],
    ) -> FeatureJob:
        """Return what features of a table's pictures, in so many augmented views, depend on.

        `backbone` is cut before the stage `first_trained`.
        """
        key = compute_feature_key(
            table,
            self.preprocess,
            backbone=backbone,
            first_trained=first_trained,
            augment=policy,
            seed=self.seed,
            max_pixels=self.max_pixels,
        )
        pictures = self.build_evaluation_loader(table, policy, epochs=views, batch_size=FEATURE_BATCH_SIZE)
        return FeatureJob(pictures, views, key, prepare)

    def build_train_loader_over(self, features: Tensor) -> TrainLoader:
        """Return shuffled batches of train features (V, N, ...), in the order in which pictures would come."""
        targets = self.train.targets()
        return TrainLoader(
            FeatureReader(features, targets),
            targets,
            batch_size=self.batch_size,
            seed=self.seed,
            class_balanced=self.class_balanced,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
        )

    def build_evaluation_loader_over(self, features: Tensor, table: ImageTable) -> EvaluationLoader:
        """Return the features (V, N, ...) of a table's pictures in their first view, each once and in order."""
        return EvaluationLoader(
            FeatureReader(features, table.targets()),
            len(table),
            batch_size=2 * self.batch_size,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
        )

    def close(self) -> None:
        """Give back what decoded pictures take; files that are full stay for later runs."""
        for pictures in self._pictures.values():
            if pictures is not None:
                try:
                    pictures.close()
                except OSError as error:
                    logger.warning("decoded pictures could not be kept for later runs: %s", error.strerror or error)
        self._pictures.clear()

    def _build_dataset(self, table: ImageTable, augment: Augment | None, *, epochs: int) -> ImageDataset:
        size = self.preprocess.image_size if augment is None else augment.canvas_size
        return ImageDataset(
            table,
            self.preprocess,
            augment,
            seed=self.seed,
            max_pixels=self.max_pixels,
            cache=self._find_picture_cache(table, size, epochs) if epochs > 1 else None,
        )

    def _find_picture_cache(self, table: ImageTable, canvas_size: int, epochs: int) -> PictureCache | None:
        """Return where decoded pictures of a table and size are kept from one phase to the next, if they are."""
        name = ("train" if table is self.train else "validation"), canvas_size
        if self.cache is not None and name not in self._pictures:
            # Of several processes each would fill one of its own, from the part of an epoch that it reads.
            alone = self.processes.count == 1
            choice, reason = choose_picture_cache(
                self.picture_setting if alone or self.picture_setting != "auto" else "off",
                num_images=len(table),
                canvas_size=canvas_size,
                epochs=epochs,
                workers=self.workers,
                folder=self.cache.folder,
                limit_bytes=self.cache.limit_bytes,
                in_memory=table.is_in_memory,
                picture_pixels=self.picture_pixels,
                num_ranks=self.processes.local_count,
            )
            logger.info("decoded %s pictures are kept: %s (%s)", name[0], choice, reason)
            try:
                self._pictures[name] = build_picture_cache(
                    choice,
                    table,
                    self.preprocess,
                    canvas_size=canvas_size,
                    workers=self.workers,
                    arrays=self.cache,
                    max_pixels=self.max_pixels,
                )
            except OSError as error:
                logger.warning("decoded pictures are not kept after all: %s", error.strerror or error)
        return self._pictures.get(name)


def scale_size(image_size: int, scale: float) -> int:
    """Return a side in pixels times `scale`: a multiple of 32, by which networks halve five times, or else of 4."""
    step = _SIZE_STEP if image_size >= 3 * _SIZE_STEP else _SMALL_SIZE_STEP
    return image_size if scale == 1 else min(image_size, max(step, step * round(image_size * scale / step)))
