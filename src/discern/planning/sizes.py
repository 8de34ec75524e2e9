"""Chooses the stem, the image size and the batch size that suit network, pictures and memory."""

from collections.abc import Sequence
from math import log2, sqrt
from statistics import median
from typing import Literal

import numpy as np
import torch

from discern.config.settings import Settings
from discern.data.cache.free_memory import compute_free_memory_bytes
from discern.data.reading.decode import read_header
from discern.data.table import ImageTable
from discern.models.architecture import CUSTOM
from discern.models.backbone import Backbone, has_small_stem
from discern.models.classifier import Classifier
from discern.models.costs import count_activation_bytes
from discern.models.weights.pretrained import read_stem
from discern.planning.phases import HEAD_ONLY
from discern.runtime import Runtime

Stem = Literal["imagenet", "small"]

_MEASURED = 200
_SMALL_PICTURE = 64
_MIN_PRETRAINED_SIZE = 96
_SIZE_STEP = 32
_FINE_TUNED_SCALE = 9 / 7
"""Side of the pictures for fine-tuning relative to those of pretraining; docs/research/auto.md."""
_MAX_BATCH = 64
_MIN_BATCH, _BATCH_FACTOR = 8, 0.7
# From scratch, BatchNorm needs larger batches.
_MIN_SCRATCH_BATCH, _SCRATCH_BATCH_FACTOR = 16, 1.0
_MEMORY_SHARE = 0.6


def measure_sides(table: ImageTable, max_pixels: int) -> list[tuple[int, int]]:
    """Return width and height, in pixels, of up to 200 pictures spread over the table."""
    rows = np.unique(np.linspace(0, len(table) - 1, num=min(_MEASURED, len(table)), dtype=np.int64))
    return [_measure(table, row, max_pixels) for row in rows]


def find_shorter_side(sides: Sequence[tuple[int, int]]) -> int:
    """Return the median shorter side, in pixels."""
    return int(median(min(pair) for pair in sides))


def choose_stem(
    setting: Literal["auto", "imagenet", "small"], backbone: str, weights: str, side: int
) -> tuple[Stem, str | None]:
    """Return the stem of a network: that of its weights, or from scratch "small" for pictures up to 64 px.

    Raises:
        WeightsError: The file of the weights cannot be read.
    """
    if setting != "auto":
        return setting, None
    if backbone == CUSTOM or not has_small_stem(backbone):
        return "imagenet", None
    if weights != "none":
        stem = read_stem(backbone, weights)
        return stem, "small, that of the weights" if stem == "small" else None
    if side <= _SMALL_PICTURE:
        return "small", f"small, for pictures of {side} px from scratch"
    return "imagenet", None


def choose_image_size(
    settings: Settings,
    backbone: Backbone,
    weights: str,
    stem: Stem,
    sides: Sequence[tuple[int, int]],
    *,
    has_time: bool,
) -> tuple[int, str | None]:
    """Return the side, in pixels, of the square that the network sees, and the reason if it was `auto`.

    With a small stem it is the size of the pictures; otherwise the size that the backbone was pretrained at, but at
    most twice the pictures' shorter side (in steps of 32 px or a whole number of a transformer's patches, and at least
    about 96), since enlarging more only blurs. A pretrained convolutional network that is fine-tuned in a run that
    `has_time` sees pictures of at least that size at 9/7 of it, such as 288 px instead of 224: it was pretrained on
    random crops, in which objects are larger than in whole pictures (https://arxiv.org/abs/1906.06423).
    """
    if settings.data.image_size != "auto":
        return settings.data.image_size, None
    shorter_side = find_shorter_side(sides)
    if stem == "small":
        return shorter_side, f"{shorter_side}, the size of the pictures"
    native = backbone.image_size
    wanted = max(_MIN_PRETRAINED_SIZE, _SIZE_STEP * round(2 * shorter_side / _SIZE_STEP))
    limit = backbone.find_nearest_size(wanted)
    if limit < native:
        return limit, f"{limit}, since the pictures are small (median shorter side {shorter_side} px)"
    larger = _SIZE_STEP * round(_FINE_TUNED_SCALE * native / _SIZE_STEP)
    if shorter_side >= native and larger > native and has_time and _gains_by_size(settings, backbone, weights):
        return larger, (
            f"{larger}, larger than the {native} that {backbone.name} is usually trained at, since fine-tuning "
            f"gains by it; data.image_size={native} takes {(native / larger) ** 2:.1f} of the time"
        )
    return native, f"{native}, what {backbone.name} is usually trained at"


def _gains_by_size(settings: Settings, backbone: Backbone, weights: str) -> bool:
    """Return whether the network takes pictures of any size, and learns to use larger ones."""
    is_pretrained = weights != "none" and backbone.name != CUSTOM and not settings.model.load_head
    learns = any(phase.train != HEAD_ONLY for phase in settings.training.phases)
    return is_pretrained and learns and not backbone.has_fixed_size


def choose_batch_size(
    setting: int | Literal["auto"],
    classifier: Classifier,
    image_size: int,
    *,
    images: int,
    is_pretrained: bool,
    runtime: Runtime,
) -> tuple[int, str | None]:
    """Return the batch size of all processes together, and the reason if it was `auto`.

    `auto` is a power of two up to 64, near 0.7 times the square root of the number of training pictures (from scratch
    the root itself), halved until the activations of all layers fit into memory.

    Raises:
        ConfigError: The network does not accept pictures of this size.
    """
    if setting != "auto":
        return setting, None
    min_batch, factor = (_MIN_BATCH, _BATCH_FACTOR) if is_pretrained else (_MIN_SCRATCH_BATCH, _SCRATCH_BATCH_FACTOR)
    min_batch = max(min_batch, 2 * runtime.processes.count)
    by_data = max(min_batch, min(_MAX_BATCH, 2 ** round(log2(factor * sqrt(max(1, images))))))
    reason = f"{by_data}, for {images} training pictures"
    free_bytes = measure_free_memory(runtime)
    if free_bytes is None:
        return by_data, reason
    classifier.backbone.check_image_size(image_size)
    activations = count_activation_bytes(classifier, image_size)
    # The backward pass needs as much memory again as the activations.
    needed_bytes = 2 * activations // (2 if runtime.precision == "bf16" else 1)
    batch_size = by_data
    while batch_size > 2 and batch_size * needed_bytes // runtime.processes.count > _MEMORY_SHARE * free_bytes:
        batch_size //= 2
    if batch_size < by_data:
        reason = f"{batch_size}, for {images} training pictures, since {free_bytes / 2**30:.1f} GiB of memory are free"
    return batch_size, reason


def measure_free_memory(runtime: Runtime) -> int | None:
    """Return the bytes that this process can still allocate on its device; None if that is unknown."""
    if runtime.device.type == "cuda":
        return int(torch.cuda.mem_get_info(runtime.device)[0])
    free_bytes = compute_free_memory_bytes()
    return None if free_bytes is None else free_bytes // runtime.processes.local_count


def _measure(table: ImageTable, row: int, max_pixels: int) -> tuple[int, int]:
    place = int(table.frame["array_index"].iloc[row])
    if table.arrays is not None and place >= 0:
        height, width = table.arrays[place].shape[:2]
        return int(width), int(height)
    header = read_header(table.frame["path"].iloc[row], max_pixels=max_pixels)
    return header.width_pixels, header.height_pixels
