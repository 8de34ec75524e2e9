"""Batches for training and evaluation, the same whatever the number of loader processes."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loader_processes import Batch as Batch
from discern.data.reading.loader_processes import LoaderProcesses
from discern.data.reading.loader_processes import StartMethod as StartMethod
from discern.errors import ConfigError, DataError, ImageProblem
from discern.runtime import count_cores

_FEW_IMAGES = 256
_MANY_IMAGES = 5000
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, nothing is written there
SMALL_SHARED_MEMORY_BYTES = 512 * 2**20


class BatchSource(Protocol):
    """Something that makes a batch of the rows of each group."""

    def read(
        self, groups: list[npt.NDArray[np.int64]], epoch: int, problems: list[tuple[int, ImageProblem]] | None = None
    ) -> Iterator[Batch]:
        """Yield batches; a bad picture is left out and added to `problems`, or raised when there is no such list."""


class _TimedLoader:
    """Passes on the batches of a source and counts how long the caller waits for them."""

    def __init__(self, source: BatchSource) -> None:
        self.waiting_seconds = 0.0
        self._source = source

    def _read(
        self, groups: list[npt.NDArray[np.int64]], epoch: int, problems: list[tuple[int, ImageProblem]] | None = None
    ) -> Iterator[Batch]:
        self.waiting_seconds = 0.0
        return self._count_waiting(self._source.read(groups, epoch, problems))

    def _count_waiting(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        started = time.perf_counter()
        for batch in batches:
            self.waiting_seconds += time.perf_counter() - started
            yield batch
            started = time.perf_counter()
        self.waiting_seconds += time.perf_counter() - started


class TrainLoader(_TimedLoader):
    """Batches in an order that depends only on (seed, epoch); of each, every rank reads its part.

    `batch_size`, `num_images` and the length hold for all ranks together. `waiting_seconds` is how long the
    caller has waited for batches since the latest call of `batches`.
    """

    def __init__(
        self,
        source: BatchSource,
        targets: npt.NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        class_balanced: bool = False,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        super().__init__(source)
        _check_ranks(len(targets), batch_size, num_ranks)
        self.num_images = len(targets)
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._class_balanced = class_balanced
        self._rank = rank
        self._num_ranks = num_ranks

    def __len__(self) -> int:
        """Return the number of batches in an epoch, the same on all ranks."""
        return len(self._cut(np.arange(self.num_images)))

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, of each the rows of this rank.

        Raises:
            BadImageError: A picture cannot be decoded.
        """
        rng = np.random.default_rng((self._seed, epoch))
        rows = _balanced_rows(self._targets, rng) if self._class_balanced else rng.permutation(self.num_images)
        return self._read([group[self._rank :: self._num_ranks] for group in self._cut(rows)], epoch)

    def _cut(self, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        return _cut_for_training(rows, self._batch_size, self._num_ranks)


class EvaluationLoader(_TimedLoader):
    """Batches of every picture exactly once, in the order of the table; every rank reads its share of the batches.

    Rank r reads the batches r, r + R, r + 2R ... of all. `num_images` and `num_rounds`, the number of batches of rank
    0, hold for all ranks. `image_size` is that of the pictures in pixels, and 0 where something else is read.
    `waiting_seconds` is how long the caller has waited for batches since the latest call of `batches`.
    """

    def __init__(
        self,
        source: BatchSource,
        num_images: int,
        *,
        batch_size: int,
        image_size: int = 0,
        collect_problems: bool = False,
        rank: int = 0,
        num_ranks: int = 1,
    ) -> None:
        super().__init__(source)
        self.num_images = num_images
        self.image_size = image_size
        groups = _cut(np.arange(num_images), batch_size)
        self.num_rounds = len(groups[::num_ranks])
        self._groups = groups[rank::num_ranks]
        self._collect_problems = collect_problems
        self._problems: list[tuple[int, ImageProblem]] = []

    def __len__(self) -> int:
        """Return the number of batches of this rank, those included of which no picture may be left."""
        return len(self._groups)

    def batches(self, epoch: int = 0) -> Iterator[Batch]:
        """Yield the batches of this rank; where problems are collected, without the pictures that have one.

        Where pictures are augmented, `epoch` says which of their random versions is read.

        Raises:
            BadImageError: A picture cannot be decoded, and problems are not collected.
        """
        self._problems = []
        return self._read(self._groups, epoch, self._problems if self._collect_problems else None)

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
    rank: int = 0,
    num_ranks: int = 1,
) -> TrainLoader:
    """Build the loader for training.

    A last batch of a single picture joins the one before it: BatchNorm cannot train on one picture, and none is lost.
    With `class_balanced`, pictures are drawn with replacement so that each class is equally likely.

    Of each batch, rank r of R reads the rows r, r + R, r + 2R ...; then a last batch of fewer than two pictures a rank
    joins the one before it. Random augmentation does not depend on the ranks.

    Raises:
        ConfigError: A batch has fewer than two pictures for each of several ranks.
        DataError: There are fewer than two pictures for each of several ranks.
    """
    return TrainLoader(
        LoaderProcesses(dataset, workers, pin_memory=pin_memory, start_method=start_method),
        dataset.targets,
        batch_size=batch_size,
        seed=seed,
        class_balanced=class_balanced,
        rank=rank,
        num_ranks=num_ranks,
    )


def build_evaluation_loader(
    dataset: ImageDataset,
    *,
    batch_size: int,
    workers: int = 0,
    collect_problems: bool = False,
    pin_memory: bool = False,
    start_method: StartMethod | None = None,
    rank: int = 0,
    num_ranks: int = 1,
) -> EvaluationLoader:
    """Build the loader for validation, test and prediction.

    With `collect_problems`, pictures that cannot be decoded are left out of their batches and listed by `problems()`.
    """
    return EvaluationLoader(
        LoaderProcesses(dataset, workers, pin_memory=pin_memory, start_method=start_method),
        len(dataset),
        batch_size=batch_size,
        image_size=dataset.preprocess.image_size,
        collect_problems=collect_problems,
        rank=rank,
        num_ranks=num_ranks,
    )


def choose_workers(setting: int | Literal["auto"], num_images: int, device_type: str, *, num_ranks: int = 1) -> int:
    """Choose the number of loader processes; a number is taken as it is.

    `auto` is 0 for fewer than 256 pictures (starting processes would cost more than it saves) and where shared memory
    is below 512 MiB (batches travel through it; containers need `--shm-size`). On a CPU, which computes as well, it is
    a quarter of the cores up to 4, and at least 1 for 5,000 pictures or more. Beside a GPU it is all cores but one, up
    to 16. `num_ranks` training processes on this machine share its cores.

    Raises:
        ConfigError: The number is negative.
    """
    if setting != "auto":
        if setting < 0:
            raise ConfigError(f"workers is {setting}; expected 0 or more, or 'auto'.")
        return setting
    if num_images < _FEW_IMAGES or _shared_memory_is_small():
        return 0
    cores = max(1, count_cores() // num_ranks)
    if device_type != "cpu":
        return min(16, max(1, cores - 1))
    return max(min(4, cores // 4), int(num_images >= _MANY_IMAGES and cores > 1))


def _balanced_rows(targets: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    _, class_of_row, counts = np.unique(targets, return_inverse=True, return_counts=True)
    probabilities = 1.0 / (len(counts) * counts[class_of_row])
    return rng.choice(len(targets), size=len(targets), p=probabilities)


def _cut(rows: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]


def _cut_for_training(rows: npt.NDArray[np.int64], batch_size: int, num_ranks: int) -> list[npt.NDArray[np.int64]]:
    groups = _cut(rows, batch_size)
    if len(groups) > 1 and len(groups[-1]) < min(2 * num_ranks, batch_size):
        groups[-2:] = [np.concatenate(groups[-2:])]
    return groups


def _check_ranks(num_images: int, batch_size: int, num_ranks: int) -> None:
    min_images = 2 * num_ranks
    if num_ranks > 1 and num_images < min_images:
        raise DataError(
            f"{num_images} pictures to train on are too few for {num_ranks} processes, of which each needs two for a "
            f"batch. Start at most {max(1, num_images // 2)}."
        )
    if num_ranks > 1 and batch_size < min_images:
        raise ConfigError(
            f"A batch of {batch_size} pictures is too small for {num_ranks} processes, of which each needs two. "
            f"Set training.batch_size to {min_images} or more; it counts the pictures of all processes together."
        )


def find_shared_memory_bytes() -> int | None:
    """Return the size of the memory that processes share, as containers may limit it; None where that is unknown."""
    return shutil.disk_usage(_SHARED_MEMORY).total if _SHARED_MEMORY.is_dir() else None


def _shared_memory_is_small() -> bool:
    size_bytes = find_shared_memory_bytes()
    return size_bytes is not None and size_bytes < SMALL_SHARED_MEMORY_BYTES
