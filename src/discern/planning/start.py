"""Where to start from: which pretrained weights, and which way of making pictures square, a linear probe finds best."""

import logging
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from discern.config.duration import parse_duration
from discern.config.settings import ModelSettings, Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.reading.preprocess import Fit, Preprocess
from discern.data.splitting.sample import sample_table
from discern.data.table import ImageTable
from discern.engine.frozen_features import compute_frozen_features
from discern.engine.head_solver import Judgement, cross_validate
from discern.models.backbone import TIMM_PREFIX
from discern.models.build import build_classifier
from discern.models.weights.catalog import PUBLISHED_NAMES
from discern.models.weights.pretrained import discern_home, is_cached, load_pretrained
from discern.planning.choices import choose_architecture, choose_image_size, measure_sides
from discern.runtime import Runtime

logger = logging.getLogger("discern")

_SAMPLE = 1000
_MEMORY_BYTES = 2**30
_SQUARE = 1.1
_SHORT_BUDGET_SECONDS = 900
_NEWEST = "imagenet"


class Candidate(NamedTuple):
    """A network with weights, and a way of making pictures square."""

    model: ModelSettings
    fit: Fit

    def describe(self) -> str:
        """Return it in words."""
        weights = self.model.weights
        name = weights if weights in PUBLISHED_NAMES else Path(weights).name
        return f"{self.model.backbone} {name} {self.fit}"


def choose_start(
    settings: Settings, table: ImageTable, runtime: Runtime, cache: ArrayCache | None
) -> tuple[Settings, dict[str, str]]:
    """Replace `auto` for weights and fit by what answers best on frozen features; return the reasons.

    Up to 1,000 training pictures are answered by cross-validation. Nothing is downloaded for it: of published weights
    only those count that are here, and where none are, the newest are taken unseen. Where there is little time, the
    first of those that are here is taken; several processes, which might find different files, take the newest.
    """
    if settings.model.weights != "auto" and settings.data.fit != "auto" and not settings.model.candidates:
        return settings, {}
    if runtime.processes.count > 1:
        return settle_unseen(settings), {}
    train = table.select("train")
    candidates = list(_list_candidates(settings, train))
    sample = _choose_sample(train, settings.run.seed)
    hurry = settings.run.budget is not None and parse_duration(settings.run.budget) < _SHORT_BUDGET_SECONDS
    if len(candidates) < 2 or sample is None or hurry:
        return _settle(settings, candidates[0]), {}
    scores = [_score(candidate, settings, sample, runtime, cache) for candidate in candidates]
    chosen = candidates[min(range(len(scores)), key=lambda place: scores[place].loss)]
    found = ", ".join(
        f"{one.describe()} {score.loss:.3f} ({score.accuracy:.1%} right)"
        for one, score in zip(candidates, scores, strict=True)
    )
    reason = (
        f"{chosen.describe()}, by the loss of a linear probe on {len(sample)} pictures, each left out once: {found}"
    )
    return _settle(settings, chosen), {"starting point": reason}


def settle_unseen(settings: Settings) -> Settings:
    """Return settings that start from what is taken without a look at the pictures."""
    return _settle(settings, choose_unseen(settings))


def choose_unseen(settings: Settings) -> Candidate:
    """Return what is taken without a look at the pictures: the newest weights, and all of a picture, squashed."""
    weights = _NEWEST if settings.model.weights == "auto" else settings.model.weights
    fit = "squash" if settings.data.fit == "auto" else settings.data.fit
    return Candidate(settings.model.model_copy(update={"weights": weights}), fit)


def _settle(settings: Settings, candidate: Candidate) -> Settings:
    data = settings.data.model_copy(update={"fit": candidate.fit})
    return settings.model_copy(update={"model": candidate.model, "data": data})


def _list_candidates(settings: Settings, train: ImageTable) -> Iterator[Candidate]:
    """Yield what is to be compared, the settings' own network first if it is here."""
    unseen = choose_unseen(settings)
    models = [model for model in _list_models(settings.model) if is_cached(model.backbone, model.weights)] or [
        unseen.model
    ]
    fits: tuple[Fit, ...] = (unseen.fit,)
    if (
        is_cached(models[0].backbone, models[0].weights)
        and settings.data.fit == "auto"
        and not _are_square(train, settings.data.max_pixels)
    ):
        fits = ("squash", "crop")
    for model in models:
        for fit in fits:
            yield Candidate(model, fit)


def _are_square(train: ImageTable, max_pixels: int) -> bool:
    """Tell whether a usual picture is so nearly square that cropping and squashing it give much the same."""
    return median(max(sides) / min(sides) for sides in measure_sides(train, max_pixels)) < _SQUARE


def _list_models(model: ModelSettings) -> Iterator[ModelSettings]:
    if model.weights != "auto":
        yield model
    else:
        names = ("imagenet",) if model.backbone.startswith(TIMM_PREFIX) else ("imagenet-v2", "imagenet-v1")
        for name in names:
            yield model.model_copy(update={"weights": name})
    for given in model.candidates:
        yield model.model_copy(update={"backbone": given.backbone, "weights": given.weights})


def _choose_sample(train: ImageTable, seed: int) -> ImageTable | None:
    """Return up to 1,000 pictures of classes that have two or more; None where there are no two such classes."""
    sample = sample_table(train, _SAMPLE, seed=seed)
    counts = np.bincount(sample.targets())
    repeated = sample.take(np.flatnonzero(counts[sample.targets()] > 1))
    return repeated if (counts > 1).sum() > 1 else None


def _score(
    candidate: Candidate, settings: Settings, sample: ImageTable, runtime: Runtime, cache: ArrayCache | None
) -> Judgement:
    """Return how a linear probe answers pictures left out of its fit."""
    backbone = build_classifier(choose_architecture(candidate.model), len(sample.class_names)).backbone
    load_pretrained(backbone, candidate.model.weights, cache_folder=discern_home() / "weights")
    runtime.place(backbone)
    size = choose_image_size(_settle(settings, candidate), sample)
    backbone.check_image_size(size)
    features = compute_frozen_features(
        backbone,
        sample,
        Preprocess(size, candidate.fit, backbone.mean, backbone.std),
        runtime,
        cache,
        max_pixels=settings.data.max_pixels,
        memory_bytes=_MEMORY_BYTES,
    )
    _, targets = np.unique(sample.targets(), return_inverse=True)
    return cross_validate(features, targets)
