"""Computes features with a pretrained network, to examine pictures before anything is trained."""

import numpy as np
import numpy.typing as npt
import torch

from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import build_evaluation_loader, choose_workers
from discern.data.reading.preprocess import Preprocess
from discern.data.table import ImageTable
from discern.engine.features import FEATURE_BATCH_SIZE, FeatureJob, compute_feature_key, load_or_compute_features
from discern.engine.forward import prepare_images
from discern.errors import DataError
from discern.models.backbone import Backbone
from discern.models.classifier import HEAD
from discern.runtime import Runtime


def compute_frozen_features(
    backbone: Backbone,
    table: ImageTable,
    preprocess: Preprocess,
    runtime: Runtime,
    cache: ArrayCache | None,
    *,
    max_pixels: int,
    memory_bytes: int,
    known: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Return the pooled features (N, F) of a table's pictures, from the cache if they are there.

    Where they are `known` already, the cache keeps them for training. They have the same key as those that training
    computes of the same pictures with a frozen backbone.

    Raises:
        BadImageError: A picture cannot be decoded.
        DataError: There is no room for them.
    """
    dataset = ImageDataset(table, preprocess, max_pixels=max_pixels)
    workers = choose_workers("auto", len(table), runtime.device.type, num_ranks=runtime.processes.local_count)
    pictures = build_evaluation_loader(
        dataset,
        batch_size=FEATURE_BATCH_SIZE,
        workers=workers,
        rank=runtime.processes.rank,
        num_ranks=runtime.processes.count,
    )
    key = compute_feature_key(table, preprocess, backbone=backbone.key, first_trained=HEAD, max_pixels=max_pixels)
    job = FeatureJob(pictures, 1, key, prepare_images(preprocess, runtime))
    kept = None if known is None else torch.from_numpy(known)[None]
    features = load_or_compute_features(backbone, job, runtime, cache, memory_bytes=memory_bytes, known=kept)
    if features is None:
        raise DataError(
            f"{table.source}: there is no room for the features of {len(table)} pictures; data.audit=quick needs none"
        )
    return features[0].float().numpy()
