"""Chooses the start of a run: the weights and the fit of pictures to a square that are best in a linear probe."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.config.duration import parse_duration
from discern.config.settings import ModelSettings, Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.preprocess import Fit
from discern.data.splitting.sample import sample_table
from discern.data.table import ImageTable
from discern.engine.frozen_features import compute_frozen_features
from discern.engine.head_solver import ProbeScore, cross_validate
from discern.models.architecture import CUSTOM, Architecture
from discern.models.backbone import TIMM_PREFIX
from discern.models.build import build_classifier
from discern.models.weights.catalog import PUBLISHED_NAMES
from discern.models.weights.pretrained import is_cached, load_pretrained
from discern.percent import percent
from discern.planning.plan import OWN_WEIGHTS
from discern.planning.reading import plan_preprocess
from discern.planning.sizes import choose_image_size, choose_stem, find_shorter_side
from discern.runtime import Runtime

logger = logging.getLogger("discern")


_SAMPLE = 1000
_MEMORY_BYTES = 2**30
_SQUARE = 1.1
_SHORT_BUDGET_SECONDS = 900
_NEWEST = "imagenet"


class Start(NamedTuple):
    """A backbone, its weights, and the way to make pictures square."""

    backbone: str
    weights: str
    fit: Fit

    def describe(self) -> str:
        """Return the start as text for people."""
        name = self.weights if self.weights in PUBLISHED_NAMES else Path(self.weights).name
        return f"{self.backbone} {name} {self.fit}"


def choose_start(
    settings: Settings,
    train: ImageTable,
    sides: Sequence[tuple[int, int]],
    runtime: Runtime,
    cache: ArrayCache | None,
    *,
    custom_network: bool = False,
) -> tuple[Start, str | None]:
    """Return the start of a run and, if several starts were compared, the reason.

    Starts are compared by cross-validating a linear head on the frozen features of up to 1,000 training pictures. Only
    published weights in the local cache are compared, so nothing is downloaded for it; if none are cached, the newest
    are used. With a short time budget the first cached weights are used without a comparison. Several processes, which
    might find different files, always use the newest.
    """
    default = choose_default_start(settings, custom_network=custom_network)
    is_open = settings.model.weights == "auto" or settings.data.fit == "auto" or settings.model.candidates
    if custom_network or not is_open or runtime.processes.count > 1:
        return default, None
    starts = list(_list_starts(settings, default, sides))
    sample = choose_sample(train, settings.run.seed)
    is_short = settings.run.budget is not None and parse_duration(settings.run.budget) < _SHORT_BUDGET_SECONDS
    if len(starts) < 2 or sample is None or is_short:
        return starts[0], None
    scores = [_probe(start, settings, sample, sides, runtime, cache) for start in starts]
    best = min(range(len(starts)), key=lambda place: scores[place].loss)
    found = ", ".join(
        f"{one.describe()} {score.loss:.3f} ({percent(score.accuracy)} correct)"
        for one, score in zip(starts, scores, strict=True)
    )
    return starts[best], (
        f"{starts[best].describe()}, by the loss of a linear probe on {len(sample)} pictures, cross-validated: {found}"
    )


def choose_default_start(settings: Settings, *, custom_network: bool = False) -> Start:
    """Return the start that is used without a comparison: the newest weights, and pictures squashed to a square."""
    weights = _NEWEST if settings.model.weights == "auto" else settings.model.weights
    if custom_network and weights in PUBLISHED_NAMES:
        weights = OWN_WEIGHTS
    backbone = CUSTOM if custom_network else settings.model.backbone
    return Start(backbone, weights, "squash" if settings.data.fit == "auto" else settings.data.fit)


def _list_starts(settings: Settings, default: Start, sides: Sequence[tuple[int, int]]) -> Iterator[Start]:
    """Yield the starts to compare, the network of the settings first if its weights are cached."""
    networks = [pair for pair in _list_networks(settings.model) if is_cached(*pair)]
    fits: tuple[Fit, ...] = (default.fit,)
    if networks and settings.data.fit == "auto" and not _are_square(sides):
        fits = ("squash", "crop")
    for backbone, weights in networks or [(default.backbone, default.weights)]:
        for fit in fits:
            yield Start(backbone, weights, fit)


def _are_square(sides: Sequence[tuple[int, int]]) -> bool:
    """Return whether the median picture is so nearly square that cropping and squashing give similar results."""
    return median(max(pair) / min(pair) for pair in sides) < _SQUARE


def _list_networks(model: ModelSettings) -> Iterator[tuple[str, str]]:
    """Yield backbones with their weights."""
    if model.weights != "auto":
        yield model.backbone, model.weights
    else:
        names = ("imagenet",) if model.backbone.startswith(TIMM_PREFIX) else ("imagenet-v2", "imagenet-v1")
        for name in names:
            yield model.backbone, name
    for given in model.candidates:
        yield given.backbone, given.weights


def choose_sample(train: ImageTable, seed: int) -> ImageTable | None:
    """Return the training pictures that starts are compared on; None without two classes of two pictures.

    They are up to 1,000, of classes that have two or more.
    """
    sample = sample_table(train, _SAMPLE, seed=seed)
    counts = np.bincount(sample.targets())
    has_two = counts[sample.targets()] > 1
    if (counts > 1).sum() < 2:
        return None
    # The same table if nothing is left out, so that training finds its features in the cache.
    return sample if has_two.all() else sample.take(np.flatnonzero(has_two))


def compute_start_features(
    start: Start,
    settings: Settings,
    table: ImageTable,
    sides: Sequence[tuple[int, int]],
    runtime: Runtime,
    cache: ArrayCache | None,
) -> npt.NDArray[np.float32]:
    """Return the features (N, F) of pictures by the pretrained network of a start, at the size it would train at.

    Raises:
        WeightsError: The weights cannot be loaded.
        ConfigError: The network does not take images of the size that is set.
        DataError: There is no room for the features.
    """
    stem, _ = choose_stem(settings.model.stem, start.backbone, start.weights, find_shorter_side(sides))
    backbone = build_classifier(Architecture(backbone=start.backbone, stem=stem), len(table.class_names)).backbone
    size, _ = choose_image_size(settings.data.image_size, backbone, stem, sides)
    backbone.set_image_size(size)
    load_pretrained(backbone, start.weights)
    runtime.place(backbone)
    return compute_frozen_features(
        backbone,
        table,
        plan_preprocess(settings.data, size, start.fit, backbone, table.depth_range),
        runtime,
        cache,
        max_pixels=settings.data.max_pixels,
        memory_bytes=_MEMORY_BYTES,
    )


def _probe(
    start: Start,
    settings: Settings,
    sample: ImageTable,
    sides: Sequence[tuple[int, int]],
    runtime: Runtime,
    cache: ArrayCache | None,
) -> ProbeScore:
    """Return the cross-validated score of a linear head on frozen features."""
    features = compute_start_features(start, settings, sample, sides, runtime, cache)
    _, targets = np.unique(sample.targets(), return_inverse=True)
    return cross_validate(features, targets)
