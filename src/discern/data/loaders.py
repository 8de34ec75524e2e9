"""Batches for training and evaluation, the same whatever the number of loader processes."""

import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from discern.data.dataset import ImageDataset, Sample, SampleKey
from discern.errors import BadImageError, ConfigError, ImageProblem

StartMethod = Literal["fork", "forkserver", "spawn"]
_FEW_IMAGES = 256
_MANY_IMAGES = 5000
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, nothing is written there
_SMALL_SHARED_MEMORY_BYTES = 512 * 2**20


class Batch(NamedTuple):
    """Images uint8 (N, 3, S, S), targets int64 (N,) with -1 for unlabelled, rows of the table int64 (N,)."""

    images: Tensor
    targets: Tensor
    rows: Tensor


class _Reading(NamedTuple):
    """What became of the keys of one batch: the batch, None when nothing is left of it, and the bad pictures by row."""

    batch: Batch | None
    problems: list[tuple[int, ImageProblem]]


class TrainLoader:
    """Batches in an order that depends only on (seed, epoch)."""

    def __init__(
        self, dataset: ImageDataset, loader: "_BatchLoader", *, batch_size: int, seed: int, class_balanced: bool
    ) -> None:
        self.num_images = len(dataset)
        self._targets = dataset.targets
        self._loader = loader
        self._batch_size = batch_size
        self._seed = seed
        self._class_balanced = class_balanced

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(_cut_for_training(np.arange(self.num_images), self._batch_size))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch.

        Raises:
            BadImageError: A picture cannot be decoded.
        """
        rng = np.random.default_rng((self._seed, epoch))
        rows = _balanced_rows(self._targets, rng) if self._class_balanced else rng.permutation(self.num_images)
        return self._loader.read(_cut_for_training(rows, self._batch_size), epoch)


class EvaluationLoader:
    """Batches of every picture exactly once, in the order of the table."""

    def __init__(
        self, dataset: ImageDataset, loader: "_BatchLoader", *, batch_size: int, collect_problems: bool
    ) -> None:
        self.num_images = len(dataset)
        self._loader = loader
        self._batch_size = batch_size
        self._collect_problems = collect_problems
        self._problems: list[tuple[int, ImageProblem]] = []

    def __len__(self) -> int:
        """Return the number of batches, those included of which no picture may be left."""
        return len(_cut(np.arange(self.num_images), self._batch_size))

    def batches(self) -> Iterator[Batch]:
        """Yield all batches; where problems are collected, without the pictures that have one.

        Raises:
            BadImageError: A picture cannot be decoded, and problems are not collected.
        """
        self._problems = []
        groups = _cut(np.arange(self.num_images), self._batch_size)
        return self._loader.read(groups, epoch=0, problems=self._problems if self._collect_problems else None)

    def problems(self) -> list[tuple[int, ImageProblem]]:
        """Return row and problem of the pictures that the latest `batches` left out so far, in the order of rows."""
        return list(self._problems)


def build_train_loader(
    dataset: ImageDataset,
    *,
    batch_size: int,
    seed: int,
    workers: int = 0,
    class_balanced: bool = False,
    pin_memory: bool = False,
    start_method: StartMethod | None = None,
) -> TrainLoader:
    """Build the loader for training.

    A last batch of a single picture joins the one before it: BatchNorm cannot train on one picture, and none is lost.
    With `class_balanced`, pictures are drawn with replacement so that each class is equally likely.
    """
    loader = _BatchLoader(dataset, workers, pin_memory=pin_memory, start_method=start_method)
    return TrainLoader(dataset, loader, batch_size=batch_size, seed=seed, class_balanced=class_balanced)


def build_evaluation_loader(
    dataset: ImageDataset,
    *,
    batch_size: int,
    workers: int = 0,
    collect_problems: bool = False,
    pin_memory: bool = False,
    start_method: StartMethod | None = None,
) -> EvaluationLoader:
    """Build the loader for validation, test and prediction.

    With `collect_problems`, pictures that cannot be decoded are left out of their batches and told by `problems()`.
    """
    loader = _BatchLoader(dataset, workers, pin_memory=pin_memory, start_method=start_method)
    return EvaluationLoader(dataset, loader, batch_size=batch_size, collect_problems=collect_problems)


def choose_workers(setting: int | Literal["auto"], num_images: int, device_type: str) -> int:
    """Choose the number of loader processes; a number is taken as it is.

    `auto` is 0 for fewer than 256 pictures (starting processes would cost more than it saves) and where shared memory
    is below 512 MiB (batches travel through it; containers need `--shm-size`). On a CPU, which computes as well, it is
    a quarter of the cores up to 4, and at least 1 for 5,000 pictures or more. Beside a GPU it is all cores but one, up
    to 16.

    Raises:
        ConfigError: The number is negative.
    """
    if setting != "auto":
        if setting < 0:
            raise ConfigError(f"workers is {setting}; expected 0 or more, or 'auto'.")
        return setting
    if num_images < _FEW_IMAGES or _shared_memory_is_small():
        return 0
    cores = _available_cores()
    if device_type != "cpu":
        return min(16, max(1, cores - 1))
    return max(min(4, cores // 4), int(num_images >= _MANY_IMAGES and cores > 1))


class _BatchLoader:
    """A torch loader whose processes live on between epochs and read whole batches by their keys."""

    def __init__(
        self, dataset: ImageDataset, workers: int, *, pin_memory: bool, start_method: StartMethod | None
    ) -> None:
        self._keys = _KeySampler()
        self._build = functools.partial(
            _UnwarnedLoader,
            _BatchReader(dataset),
            sampler=self._keys,
            batch_size=None,
            collate_fn=_unchanged,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=pin_memory,
            multiprocessing_context=start_method if workers else None,
            generator=torch.Generator(),  # of its own, so that the global one is left alone
        )
        self._loader = self._build()

    def read(
        self, groups: list[npt.NDArray[np.int64]], epoch: int, problems: list[tuple[int, ImageProblem]] | None = None
    ) -> Iterator[Batch]:
        """Yield batches; a bad picture is left out and added to `problems`, or raised when there is no such list."""
        self._keys.groups, self._keys.epoch = groups, epoch
        for batch, found in self._loader:
            if problems is not None:
                problems.extend(found)
            elif found:
                break
            if batch is not None:
                yield batch
        else:
            return
        # Ends the processes here and now: whoever keeps the error keeps this frame, and with it their torn-down queues.
        self._loader = self._build()
        _, first = found[0]
        raise BadImageError(first.path, first.reason)


class _UnwarnedLoader(DataLoader[_Reading]):
    """A torch loader that takes the number of processes as given, without a warning of more processes than cores."""

    def check_worker_number_rationality(self) -> None:
        """Accept any number."""


class _BatchReader(Dataset[_Reading]):
    """Whole batches by their keys; a bad picture returns as its problem, for torch would garble an error raised."""

    def __init__(self, dataset: ImageDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, keys: list[SampleKey]) -> _Reading:
        samples, problems = [], []
        for key in keys:
            try:
                samples.append(self._dataset[key])
            except BadImageError as error:
                problems.append((key.row, ImageProblem(error.path, error.reason)))
        return _Reading(_collate(samples) if samples else None, problems)


def _collate(samples: list[Sample]) -> Batch:
    images = torch.stack([sample.image for sample in samples])
    targets = torch.tensor([sample.target for sample in samples])
    return Batch(images, targets, torch.tensor([sample.row for sample in samples]))


class _KeySampler(Sampler[list[SampleKey]]):
    """The keys of each batch of the epoch that was asked for last."""

    def __init__(self) -> None:
        self.groups: list[npt.NDArray[np.int64]] = []
        self.epoch = 0

    def __iter__(self) -> Iterator[list[SampleKey]]:
        for rows in self.groups:
            yield [SampleKey(self.epoch, int(row)) for row in rows]

    def __len__(self) -> int:
        return len(self.groups)


def _unchanged(batch: object) -> object:
    return batch


def _balanced_rows(targets: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    _, class_of_row, counts = np.unique(targets, return_inverse=True, return_counts=True)
    probabilities = 1.0 / (len(counts) * counts[class_of_row])
    return rng.choice(len(targets), size=len(targets), p=probabilities)


def _cut(rows: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def _cut_for_training(rows: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    groups = _cut(rows, batch_size)
    if len(groups) > 1 and len(groups[-1]) == 1 < batch_size:
        groups[-2:] = [np.concatenate(groups[-2:])]
    return groups


def _available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _shared_memory_is_small() -> bool:
    return _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).total < _SMALL_SHARED_MEMORY_BYTES
