"""Computes features, the output of the frozen part of a network, once per picture instead of in every epoch."""

import hashlib
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.picture_cache import compute_cache_key
from discern.data.reading.decode import MAX_PIXELS
from discern.data.reading.loaders import Batch, EvaluationLoader
from discern.data.reading.preprocess import Preprocess
from discern.data.table import ImageTable
from discern.engine.forward import ForwardPass, evaluating
from discern.engine.loop import StepResult, run_epoch
from discern.errors import ImageProblem
from discern.processes import Processes
from discern.runtime import Runtime
from discern.seconds import measuring
from discern.version import __version__

logger = logging.getLogger("discern")

FEATURE_BATCH_SIZE = 64
"""Always the same, so that features are bit-equal whatever the batch size of a run is."""


class FeatureReader:
    """Reads batches of features (V, N, ...) in place of pictures; epoch e has view e modulo V of each picture."""

    def __init__(self, features: Tensor, targets: npt.NDArray[np.int64]) -> None:
        self._features = features
        self._targets = torch.from_numpy(targets)

    def read(
        self,
        groups: list[npt.NDArray[np.int64]],
        epoch: int,
        problems: list[tuple[int, ImageProblem]] | None = None,  # noqa: ARG002 - pictures were read earlier
    ) -> Iterator[Batch]:
        """Yield one batch for the rows of each group."""
        view = self._features[epoch % len(self._features)]
        for group in groups:
            rows = torch.from_numpy(group)
            yield Batch(view[rows], self._targets[rows], rows)


@dataclass(frozen=True)
class FeatureJob:
    """Everything that features depend on, except the weights of the frozen network.

    `pictures` reads the pictures, in epoch v with the augmentation of view v; `key` comes from `compute_feature_key`.
    """

    pictures: EvaluationLoader
    views: int
    key: str
    prepare: Callable[[Tensor], Tensor]


def compute_feature_key(
    table: ImageTable,
    preprocess: Preprocess,
    *,
    backbone: str,
    first_trained: str,
    augment: object = "none",
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    decodes_whole: bool = False,
) -> str:
    """Return a key of everything that features depend on, except weights, views and machine.

    Features of the same pictures, network and key are computed once and then found in the cache.

    Args:
        table: The pictures, in their order.
        preprocess: How pictures are made square and normalised.
        backbone: Name of the network, since two networks with equal weights may give different outputs.
        first_trained: The stage or block before which the network is cut; "head" for pooled features.
        augment: The augmentation policy, as JSON values or text.
        seed: Of the augmentation; ignored without one.
        max_pixels: Pictures with more are refused.
        decodes_whole: JPEGs are decoded whole, and not at a fraction of their size.
    """
    pictures = compute_cache_key(
        table,
        preprocess,
        canvas_size=preprocess.image_size,
        max_pixels=max_pixels,
        decodes_whole=decodes_whole,
    )
    used_seed = None if augment == "none" else seed
    facts = [f"{backbone} before {first_trained}", pictures, augment, used_seed]
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


@measuring("frozen features")
def load_or_compute_features(
    frozen: nn.Module,
    job: FeatureJob,
    runtime: Runtime,
    cache: ArrayCache | None,
    *,
    memory_bytes: int,
    only_in_memory: bool = False,
    known: Tensor | None = None,
) -> Tensor | None:
    """Return features (V, N, ...) in the precision they were computed in, from the cache if they are there.

    Where they are `known` already, they are not computed, and the cache keeps them.

    Features larger than `memory_bytes` stay in a file of the cache and are read from it as needed. If neither memory
    nor cache has room, the result is None, and the reason is logged; with `only_in_memory`, the result is None without
    a word where memory has no room.
    """
    sample = _compute_sample(frozen, job, runtime)
    shape = (job.views, job.pictures.num_images, *sample.shape[1:])
    size_bytes = sample[0].nbytes * shape[0] * shape[1]
    # All processes must decide alike, since they compute together.
    fits = all(runtime.processes.gather(size_bytes <= memory_bytes))
    if only_in_memory and not fits:
        return None
    key = _complete_key(frozen, job, runtime)
    found = None if cache is None else cache.open(key)
    if all(runtime.processes.gather(found is not None and found.shape == shape)) and found is not None:
        logger.debug("features of %d pictures are in the cache: %s", shape[1], _describe_bytes(size_bytes))
        return _to_tensor(found if size_bytes > memory_bytes else np.array(found), sample.dtype)
    if fits:
        features = torch.empty(shape, dtype=sample.dtype)
        if known is None:
            _fill(features, frozen, job, runtime)
        else:
            features.copy_(known)
        if cache is not None and runtime.processes.is_main:
            _store(features, key, cache)
        return features
    if cache is None or runtime.processes.count > 1 or not cache.make_room(size_bytes):
        logger.warning(
            "there is no room for %s of features: frozen layers are computed again in every epoch. "
            "cache.views=1 or a larger cache.limit_gigabytes may help",
            _describe_bytes(size_bytes),
        )
        return None
    try:
        pending = cache.begin(key, shape, _storage_type(sample.dtype))
    except OSError as error:
        logger.warning(
            "features could not be written, so they are computed again in every epoch: %s", error.strerror or error
        )
        return None
    try:
        features = _to_tensor(pending.array, sample.dtype)
        _fill(features, frozen, job, runtime)
        pending.commit()
    finally:
        pending.discard()
    return features


class FeatureStep:
    """Computes the features of a batch and writes them to its rows, in all processes."""

    def __init__(self, forward: ForwardPass, processes: Processes, out: Tensor, rounds: int) -> None:
        self.forward = forward
        self.processes = processes
        self.out = out
        self._rounds_left = rounds

    def __call__(self, batch: Batch) -> StepResult:
        """Compute and write the features; there is no loss or accuracy."""
        self._exchange(batch.rows, self.forward(batch.images).cpu().contiguous())
        return StepResult(torch.zeros(()), torch.zeros((), dtype=torch.int64), 0)

    def finish(self) -> None:
        """Receive the features of other processes in rounds in which this process has no batch."""
        while self._rounds_left:
            self._exchange(torch.empty(0, dtype=torch.int64), torch.empty(0))

    def _exchange(self, rows: Tensor, features: Tensor) -> None:
        self._rounds_left -= 1
        for part_rows, part in self.processes.gather((rows, features)):
            if len(part_rows):
                self.out[part_rows] = part


@torch.inference_mode()
def _fill(out: Tensor, frozen: nn.Module, job: FeatureJob, runtime: Runtime) -> None:
    started = time.perf_counter()
    with evaluating(frozen):
        forward = ForwardPass(frozen, job.prepare, runtime)
        for view in range(job.views):
            step = FeatureStep(forward, runtime.processes, out[view], job.pictures.num_rounds)
            run_epoch(job.pictures.batches(view), step)
    seconds = time.perf_counter() - started
    logger.debug(
        "features of %d pictures%s: %s, computed in %.1f s, %.0f images/s",
        out.shape[1],
        f" in {job.views} views" if job.views > 1 else "",
        _describe_bytes(out.nbytes),
        seconds,
        out.shape[0] * out.shape[1] / seconds,
    )


@torch.inference_mode()
def _compute_sample(frozen: nn.Module, job: FeatureJob, runtime: Runtime) -> Tensor:
    """Return the features (1, ...) of a black picture, which show shape and type."""
    side = job.pictures.image_size
    with evaluating(frozen), runtime.autocast():
        sample: Tensor = frozen(job.prepare(torch.zeros(1, 3, side, side, dtype=torch.uint8)))
    return sample.cpu().contiguous()


def _complete_key(frozen: nn.Module, job: FeatureJob, runtime: Runtime) -> str:
    digest = hashlib.sha256()
    versions = [__version__, *(version(package) for package in ("torch", "torchvision", "timm"))]
    for part in (job.key, job.views, runtime.precision, runtime.device.type, runtime.determinism, *versions):
        digest.update(f"{part}\0".encode())
    for name, tensor in frozen.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _store(features: Tensor, key: str, cache: ArrayCache) -> None:
    """Write features to the cache for later runs; without room for them, only log a warning."""
    try:
        if cache.make_room(features.nbytes):
            with cache.create(key, tuple(features.shape), _storage_type(features.dtype)) as array:
                _to_tensor(array, features.dtype).copy_(features)
    except OSError as error:
        logger.warning("features could not be stored for later runs: %s", error.strerror or error)


def _storage_type(dtype: torch.dtype) -> npt.DTypeLike:
    """Return the NumPy type that stores the same bits, since NumPy has no bf16."""
    return np.uint16 if dtype == torch.bfloat16 else np.dtype(str(dtype).removeprefix("torch."))


def _to_tensor(array: npt.NDArray[np.generic], dtype: torch.dtype) -> Tensor:
    with warnings.catch_warnings():
        # Files of the cache are mapped read-only, and features are never written to.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array).view(dtype)


def _describe_bytes(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB" if size_bytes >= 2**30 else f"{size_bytes / 2**20:.1f} MiB"
