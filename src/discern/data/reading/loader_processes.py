"""Batches of pictures by their rows, read in this process or in several."""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from discern.data.reading.dataset import ImageDataset, Sample, SampleKey
from discern.errors import BadImageError, ImageProblem

StartMethod = Literal["fork", "forkserver", "spawn"]


class Batch(NamedTuple):
    """Images uint8 (N, 3, S, S), targets int64 (N,) with -1 for unlabelled, rows of the table int64 (N,)."""

    images: Tensor
    targets: Tensor
    rows: Tensor


class _Reading(NamedTuple):
    """The outcome of the keys of one batch: the batch, None when nothing is left of it, and the bad pictures by row."""

    batch: Batch | None
    problems: list[tuple[int, ImageProblem]]


class LoaderProcesses:
    """A torch loader whose processes stay alive between epochs and read whole batches by their keys."""

    def __init__(
        self, dataset: ImageDataset, workers: int, *, pin_memory: bool, start_method: StartMethod | None
    ) -> None:
        self._cache = dataset.cache
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
            if self._cache is not None:
                self._cache.keep_if_complete()
            return
        # A new loader ends the processes now: an error that is kept keeps this frame, and with it their queues.
        self._loader = self._build()
        _, first = found[0]
        raise BadImageError(first.path, first.reason)


class _UnwarnedLoader(DataLoader[_Reading]):
    """A torch loader that takes the number of processes as given, without a warning of more processes than cores."""

    def check_worker_number_rationality(self) -> None:
        """Accept any number."""


class _BatchReader(Dataset[_Reading]):
    """Whole batches by their keys; a bad picture is returned as its problem, since torch changes errors."""

    def __init__(self, dataset: ImageDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, keys: list[SampleKey]) -> _Reading:
        with ThreadPoolExecutor(_count_threads()) as pool:
            canvases = list(pool.map(self._read, [key.row for key in keys]))
        samples, problems = [], []
        for key, canvas in zip(keys, canvases, strict=True):
            if isinstance(canvas, ImageProblem):
                problems.append((key.row, canvas))
            else:
                samples.append(self._dataset.finish(canvas, key))
        return _Reading(_collate(samples) if samples else None, problems)

    def _read(self, row: int) -> Tensor | ImageProblem:
        try:
            return self._dataset.read_canvas(row)
        except BadImageError as error:
            return ImageProblem(error.path, error.reason)


def _count_threads() -> int:
    """Return how many pictures are decoded at once: in the process of the network, its threads are free meanwhile."""
    return torch.get_num_threads() if get_worker_info() is None else 1


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
