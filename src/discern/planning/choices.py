"""What `auto` comes to, with its reason: nothing is decided quietly."""

import logging
from collections.abc import Iterator, Sequence
from math import log2, sqrt
from statistics import median

import numpy as np
import torch

from discern.config.settings import ModelSettings, PhaseSettings, Settings
from discern.data.cache.free_memory import compute_free_memory_bytes
from discern.data.reading.decode import read_header
from discern.data.table import ImageTable
from discern.models.architecture import Architecture
from discern.models.backbone import describe_backbone, has_small_stem
from discern.models.build import build_classifier
from discern.models.costs import count_activation_bytes
from discern.planning.phases import PlanFacts, settle_phases
from discern.runtime import Runtime

logger = logging.getLogger("discern")

_LOOKED_AT = 200
_SMALL_PICTURE = 64
_LEAST_PRETRAINED_SIZE = 96
_SIZE_STEP = 32
_SMALL_BATCH = 64
_LARGEST_BATCH = 64
_SMALLEST_BATCH, _BATCH_FACTOR = 8, 0.7
# From scratch BatchNorm needs a few pictures more together, and more is to be learned from as many pictures.
_SMALLEST_SCRATCH_BATCH, _SCRATCH_BATCH_FACTOR = 16, 1.0
_MEMORY_SHARE = 0.6


def resolve_choices(settings: Settings, table: ImageTable, runtime: Runtime) -> tuple[Settings, dict[str, str]]:
    """Replace `auto` for stem, image size and batch size by what suits pictures and machine; return the reasons.

    Stem: "small" for pictures up to 64 px that are learned from scratch by one of our networks, else "imagenet".
    Image size: the pictures' own with a small stem; otherwise what the backbone was pretrained at, but at most twice
    the pictures' shorter side (in steps of 32 px, and at least 96), since larger only blurs.
    Batch size: about 0.7 times the root of the number of training pictures, a power of two from 8 to 64, as far as the
    memory allows.
    Plan: as `settle_phases` says.
    BatchNorm: frozen where the network is pretrained and a batch has fewer than 64 pictures, too few for statistics as
    good as the ones it comes with.
    """
    shorter_side = measure_shorter_side(table.select("train"), settings.data.max_pixels)
    size_seen = shorter_side if settings.data.image_size == "auto" else settings.data.image_size
    model, stem_reason = _resolve_stem(settings.model, size_seen)
    reasons = {"model.stem": stem_reason} if stem_reason else {}
    data = settings.data
    if data.image_size == "auto":
        size, reasons["data.image_size"] = _resolve_size(model, shorter_side)
    else:
        size = data.image_size
    data = data.model_copy(update={"image_size": size})
    training = settings.training
    images = min(training.max_images or len(table), len(table.select("train")))
    batch_size = training.batch_size
    if batch_size == "auto":
        batch_size, reasons["training.batch_size"] = _resolve_batch_size(model, size, images, runtime)
        training = training.model_copy(update={"batch_size": batch_size})
    facts = PlanFacts(
        images,
        len(table.class_names),
        model.weights != "none",
        model.head == "linear",
        is_enlarged=shorter_side <= size,
    )
    phases, phase_reasons = settle_phases(training.phases, facts)
    training, reasons = training.model_copy(update={"phases": phases}), reasons | phase_reasons
    if any(phase.frozen_batchnorm == "auto" for phase in training.phases):
        frozen, reasons["frozen_batchnorm"] = _resolve_batchnorm(model, batch_size)
        training = training.model_copy(update={"phases": tuple(_settle_batchnorm(training.phases, frozen))})
    for name, reason in reasons.items():
        logger.info("%s: %s", name, reason)
    settled = settings.model_copy(update={"model": model, "data": data, "training": training})
    _warn_of_random_features(settled)
    return settled, reasons


def choose_architecture(model: ModelSettings) -> Architecture:
    """Return what a network is built from; a stem that is still `auto` becomes the one of the published networks."""
    return Architecture(
        backbone=model.backbone,
        stem="imagenet" if model.stem == "auto" else model.stem,
        head=model.head,
        hidden_features=model.hidden_features,
        dropout=model.dropout,
        stochastic_depth=model.stochastic_depth,
        zero_init_residual=model.zero_init_residual,
    )


def choose_image_size(settings: Settings, table: ImageTable) -> int:
    """Return the side, in pixels, of the square that the network is to see of a table's pictures."""
    if settings.data.image_size != "auto":
        return settings.data.image_size
    shorter_side = measure_shorter_side(table, settings.data.max_pixels)
    model, _ = _resolve_stem(settings.model, shorter_side)
    return _resolve_size(model, shorter_side)[0]


def measure_shorter_side(table: ImageTable, max_pixels: int) -> int:
    """Return the median shorter side, in pixels, of up to 200 pictures spread over the table."""
    return int(median(min(sides) for sides in measure_sides(table, max_pixels)))


def measure_sides(table: ImageTable, max_pixels: int) -> list[tuple[int, int]]:
    """Return width and height, in pixels, of up to 200 pictures spread over the table."""
    rows = np.unique(np.linspace(0, len(table) - 1, num=min(_LOOKED_AT, len(table)), dtype=np.int64))
    return [_measure(table, row, max_pixels) for row in rows]


def _measure(table: ImageTable, row: int, max_pixels: int) -> tuple[int, int]:
    place = int(table.frame["array_index"].iloc[row])
    if table.arrays is not None and place >= 0:
        height, width = table.arrays[place].shape[:2]
        return int(width), int(height)
    header = read_header(table.frame["path"].iloc[row], max_pixels=max_pixels)
    return header.width_pixels, header.height_pixels


def _resolve_stem(model: ModelSettings, side: int) -> tuple[ModelSettings, str]:
    if model.stem != "auto":
        return model, ""
    if model.weights == "none" and side <= _SMALL_PICTURE and has_small_stem(model.backbone):
        return model.model_copy(update={"stem": "small"}), f"small, for pictures of {side} px from scratch"
    return model.model_copy(update={"stem": "imagenet"}), ""


def _resolve_size(model: ModelSettings, shorter_side: int) -> tuple[int, str]:
    if model.stem == "small":
        return shorter_side, f"{shorter_side}, the size of the pictures"
    backbone = describe_backbone(model.backbone)
    native = backbone.image_size
    limit = max(_LEAST_PRETRAINED_SIZE, _SIZE_STEP * round(2 * shorter_side / _SIZE_STEP))
    if limit < native and not backbone.has_fixed_size:
        return limit, f"{limit}, since the pictures are small (median shorter side {shorter_side} px)"
    return native, f"{native}, what {model.backbone} is usually trained at"


def _resolve_batch_size(model: ModelSettings, image_size: int, images: int, runtime: Runtime) -> tuple[int, str]:
    """Choose by the number of training pictures, and halve until the activations of all layers fit into the memory."""
    fewest, factor = _SMALLEST_BATCH, _BATCH_FACTOR
    if model.weights == "none":
        fewest, factor = _SMALLEST_SCRATCH_BATCH, _SCRATCH_BATCH_FACTOR
    fewest = max(fewest, 2 * runtime.processes.count)
    by_data = max(fewest, min(_LARGEST_BATCH, 2 ** round(log2(factor * sqrt(max(1, images))))))
    free_bytes = measure_free_memory(runtime)
    if free_bytes is None:
        return by_data, f"{by_data}, for {images} training pictures"
    classifier = build_classifier(choose_architecture(model), 2)
    classifier.backbone.check_image_size(image_size)
    activations = count_activation_bytes(classifier, image_size)
    # The network keeps its activations for the backward pass, which needs as much again for a moment.
    needed_bytes = 2 * activations // (2 if runtime.precision == "bf16" else 1)
    batch_size = by_data
    while batch_size > 2 and batch_size * needed_bytes // runtime.processes.count > _MEMORY_SHARE * free_bytes:
        batch_size //= 2
    reason = f"{batch_size}, for {images} training pictures"
    if batch_size < by_data:
        reason += f", since {free_bytes / 2**30:.1f} GiB of memory are free"
    return batch_size, reason


def measure_free_memory(runtime: Runtime) -> int | None:
    """Return the bytes that this process may still take on its device; None where that is unknown."""
    if runtime.device.type == "cuda":
        return int(torch.cuda.mem_get_info(runtime.device)[0])
    free_bytes = compute_free_memory_bytes()
    return None if free_bytes is None else free_bytes // runtime.processes.local_count


def _resolve_batchnorm(model: ModelSettings, batch_size: int) -> tuple[bool, str]:
    if model.weights == "none":
        return False, "learns its statistics, since the network starts from scratch"
    if batch_size < _SMALL_BATCH:
        return True, f"frozen, since the network is pretrained and a batch has {batch_size} pictures"
    return False, f"learns its statistics from batches of {batch_size} pictures"


def _settle_batchnorm(phases: Sequence[PhaseSettings], frozen: bool) -> Iterator[PhaseSettings]:
    for phase in phases:
        yield phase.model_copy(update={"frozen_batchnorm": frozen}) if phase.frozen_batchnorm == "auto" else phase


def _warn_of_random_features(settings: Settings) -> None:
    only_head = [phase.name for phase in settings.training.phases if phase.train == ("head",)]
    if settings.model.weights == "none" and only_head:
        logger.warning(
            "phase %s trains the head alone on a backbone of random weights, since model.weights=none; "
            "what it can learn from such features is little",
            ", ".join(only_head),
        )
