"""The pictures that a training reads: one place that turns tables into loaders."""

from dataclasses import dataclass

import torch

from discern.config.settings import AugmentPolicy
from discern.data.augment import build_augment
from discern.data.dataset import ImageDataset
from discern.data.loaders import EvaluationLoader, TrainLoader, build_evaluation_loader, build_train_loader
from discern.data.preprocess import Preprocess
from discern.data.table import ImageTable


@dataclass(frozen=True)
class TrainingData:
    """The train and validation rows and how they are read."""

    train: ImageTable
    validation: ImageTable
    preprocess: Preprocess
    batch_size: int
    seed: int
    workers: int
    max_pixels: int
    class_balanced: bool = False

    @property
    def num_classes(self) -> int:
        """The number of classes K."""
        return len(self.train.class_names)

    def train_targets(self) -> torch.Tensor:
        """Return the targets (N,) of the train rows."""
        return torch.from_numpy(self.train.targets())

    def build_train_loader(self, policy: AugmentPolicy) -> TrainLoader:
        """Return shuffled batches under an augmentation policy."""
        augment = build_augment(policy, self.preprocess.image_size)
        dataset = ImageDataset(self.train, self.preprocess, augment, seed=self.seed, max_pixels=self.max_pixels)
        return build_train_loader(
            dataset,
            batch_size=self.batch_size,
            seed=self.seed,
            workers=self.workers,
            class_balanced=self.class_balanced,
        )

    def build_validation_loader(self) -> EvaluationLoader:
        """Return the validation pictures, each once and in order."""
        dataset = ImageDataset(self.validation, self.preprocess, None, seed=self.seed, max_pixels=self.max_pixels)
        return build_evaluation_loader(dataset, batch_size=2 * self.batch_size, workers=self.workers)
