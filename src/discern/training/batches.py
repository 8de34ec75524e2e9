"""Turns tables of pictures, and their features, into batches for training."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from discern.config.sections.phase import AugmentPolicy
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.free_memory import compute_free_memory_bytes
from discern.data.cache.picture_cache import CachePlace, PictureCache, build_picture_cache
from discern.data.reading.augment import Augment, build_augment
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import (
    Batch,
    EvaluationLoader,
    TrainLoader,
    build_evaluation_loader,
    build_train_loader,
)
from discern.data.reading.preprocess import Preprocess, scale_size
from discern.data.splitting.sample import sample_table
from discern.data.table import ImageTable
from discern.engine.batch_statistics import SAMPLE_IMAGES
from discern.engine.features import FEATURE_BATCH_SIZE, FeatureJob, FeatureReader, compute_feature_key
from discern.planning.plan import CUSTOM_AUGMENT, Plan
from discern.predictor.feature_bank import choose_bank_rows
from discern.processes import ALONE, Processes
from discern.runtime import Runtime

logger = logging.getLogger("discern")

_FEATURE_MEMORY_SHARE = 0.25
_ASSUMED_MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True)
class TrainingData:
    """The training and validation pictures, and how they are read.

    `batch_size` is that of all processes together; each has `workers` loader processes. Features larger than
    `feature_memory_bytes` are kept on disk. The bundle keeps the features of the rows `bank_rows` of `train`. Of a
    training in folds, `pool` are the pictures of all folds, whose features are computed once for all of them.
    `teacher_probabilities` (N, K) are those of `train`, where a teacher is learnt from.
    `custom_augment` is the user's own; it maps a uint8 image (3, S, S) to another.
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
    cache: ArrayCache | None = None
    feature_memory_bytes: int = 2**30
    bank_rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    custom_augment: Callable[[Tensor], Tensor] | None = None
    pool: ImageTable | None = None
    teacher_probabilities: Tensor | None = None
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

    def build_train_loader(
        self, policy: AugmentPolicy, *, image_scale: float = 1.0, kept: CachePlace = "off"
    ) -> TrainLoader:
        """Return shuffled batches under an augmentation policy.

        With an `image_scale` below 1, pictures are smaller than those of validation; large ones in steps of 32 pixels.
        `kept` is the place for decoded pictures between epochs.
        """
        augment = self._build_augment(policy, scale_size(self.preprocess.image_size, image_scale))
        return build_train_loader(
            self._build_dataset(self.train, augment, kept),
            batch_size=self.batch_size,
            seed=self.seed,
            workers=self.workers,
            class_balanced=self.class_balanced,
            pin_memory=self.pin_memory,
            rank=self.processes.rank,
            num_ranks=self.processes.count,
        )

    def build_evaluation_loader(
        self,
        table: ImageTable,
        policy: AugmentPolicy = "none",
        *,
        kept: CachePlace = "off",
        batch_size: int | None = None,
        decodes_whole: bool = False,
    ) -> EvaluationLoader:
        """Return the pictures of a table, each once and in order; with a policy, newly augmented in every epoch."""
        augment = None if policy == "none" else self._build_augment(policy, self.preprocess.image_size)
        return build_evaluation_loader(
            self._build_dataset(table, augment, kept, decodes_whole=decodes_whole),
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
        kept: CachePlace = "off",
        *,
        decodes_whole: bool = False,
    ) -> FeatureJob:
        """Return what is needed to compute the features of a table's pictures in this many augmented views.

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
            decodes_whole=decodes_whole,
        )
        loader = self.build_evaluation_loader(
            table, policy, kept=kept, batch_size=FEATURE_BATCH_SIZE, decodes_whole=decodes_whole
        )
        return FeatureJob(loader, views, key, prepare)

    def build_train_loader_over(self, features: Tensor) -> TrainLoader:
        """Return shuffled batches of training features (V, N, ...), in the order that the pictures would have."""
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

    def read_statistics_sample(self) -> list[Batch]:
        """Return some training pictures without augmentation, as uint8; all processes get the same ones."""
        alone = replace(self, processes=ALONE, workers=0, cache=None, pin_memory=False)
        count = min(len(self.train), SAMPLE_IMAGES)
        # Not sorted, so that each batch has pictures of many classes.
        rows = np.random.default_rng(self.seed).choice(len(self.train), count, replace=False)
        batch_size = -(-count // -(-count // self.batch_size))
        return list(alone.build_evaluation_loader(self.train.take(rows), batch_size=batch_size).batches())

    def close(self) -> None:
        """Release the memory of decoded pictures; complete files stay in the cache for later runs."""
        for pictures in self._pictures.values():
            if pictures is not None:
                try:
                    pictures.close()
                except OSError as error:
                    logger.warning("decoded pictures could not be stored for later runs: %s", error.strerror or error)
        self._pictures.clear()

    def _build_augment(self, policy: AugmentPolicy, image_size: int) -> Augment:
        if policy == CUSTOM_AUGMENT and self.custom_augment is not None:
            return build_augment(self.custom_augment, image_size)
        return build_augment(policy, image_size)

    def _build_dataset(
        self, table: ImageTable, augment: Augment | None, kept: CachePlace, *, decodes_whole: bool = False
    ) -> ImageDataset:
        size = self.preprocess.image_size if augment is None else augment.canvas_size
        return ImageDataset(
            table,
            self.preprocess,
            augment,
            seed=self.seed,
            max_pixels=self.max_pixels,
            cache=None if kept == "off" else self._open_picture_cache(table, size, kept, decodes_whole=decodes_whole),
            decodes_whole=decodes_whole,
        )

    def _open_picture_cache(
        self, table: ImageTable, canvas_size: int, place: CachePlace, *, decodes_whole: bool
    ) -> PictureCache | None:
        """Return the cache of a table's decoded pictures of one size, which phases share."""
        name = self._name_table(table), canvas_size
        if self.cache is not None and name not in self._pictures:
            try:
                self._pictures[name] = build_picture_cache(
                    place,
                    table,
                    self.preprocess,
                    canvas_size=canvas_size,
                    workers=self.workers,
                    arrays=self.cache,
                    max_pixels=self.max_pixels,
                    decodes_whole=decodes_whole,
                )
            except OSError as error:
                logger.warning("decoded pictures cannot be kept between epochs: %s", error.strerror or error)
        return self._pictures.get(name)

    def _name_table(self, table: ImageTable) -> str:
        return "train" if table is self.train else "pool" if table is self.pool else "validation"


def build_training_data(
    plan: Plan,
    table: ImageTable,
    runtime: Runtime,
    augment: Callable[[Tensor], Tensor] | None = None,
    pool: ImageTable | None = None,
    teacher: Callable[[ImageTable], npt.NDArray[np.float64]] | None = None,
) -> TrainingData:
    """Return the data of a plan.

    Args:
        plan: How they are read.
        table: The pictures, split.
        runtime: Device and processes, all of which must call this.
        augment: The user's own, if there is one.
        pool: As in `TrainingData`.
        teacher: Returns what is learnt beside the labels, the probabilities (N, K) of pictures, if there is a teacher.
    """
    train = sample_table(table.select("train"), plan.training.max_images, seed=plan.seed)
    reading, processes = plan.reading, runtime.processes
    feature_memory = _FEATURE_MEMORY_SHARE * (compute_free_memory_bytes() or _ASSUMED_MEMORY_BYTES)
    return TrainingData(
        train=train,
        validation=table.select("validation"),
        preprocess=plan.preprocess,
        batch_size=plan.training.batch_size,
        seed=plan.seed,
        workers=reading.workers,
        max_pixels=reading.max_pixels,
        class_balanced=plan.training.balance == "sampler",
        processes=processes,
        pin_memory=runtime.device.type == "cuda",
        cache=ArrayCache(reading.folder, limit_bytes=int(reading.limit_gigabytes * 1e9)),
        feature_memory_bytes=int(feature_memory) // processes.local_count,
        bank_rows=choose_bank_rows(train.targets(), plan.training.feature_bank, seed=plan.seed),
        custom_augment=augment,
        # A sample of the pictures is trained on where there is no time to read them all.
        pool=pool if plan.training.max_images is None else None,
        teacher_probabilities=None if teacher is None else torch.from_numpy(teacher(train)).float(),
    )
