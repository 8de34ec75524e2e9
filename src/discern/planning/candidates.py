"""Lists the starts that a run may choose from: networks whose weights are on this machine, and fits to a square."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from discern.config.sections.model import ModelSettings
from discern.config.settings import Settings
from discern.data.reading.preprocess import Fit
from discern.errors import ConfigError
from discern.models.architecture import CUSTOM
from discern.models.backbone import TIMM_PREFIX, has_stage_maps
from discern.models.stage_features import Features
from discern.models.weights.catalog import PUBLISHED_NAMES
from discern.models.weights.own_files import OwnFile, check_own_file
from discern.models.weights.pretrained import WeightsRow, is_cached, list_weights
from discern.planning.plan import OWN_WEIGHTS

logger = logging.getLogger("discern")

AUTO_BACKBONE = "resnet50"
"""What `model.backbone=auto` means where no weights are on this machine, or no weights are to be compared."""
_NEWEST = "imagenet"
_SQUARE = 1.1
_MAX_BYTES = 500_000_000
"""Size of the largest file of weights that is compared without being named; that of a ResNet-152 has 230 MB."""


class Start(NamedTuple):
    """A backbone, its weights, the way to make pictures square, and what the head reads."""

    backbone: str
    weights: str
    fit: Fit
    features: Features

    def describe(self) -> str:
        """Return the start as text for people."""
        reading = "" if self.features == "last" else f" with {self.features}"
        return f"{describe_network(self.backbone, self.weights)} {self.fit}{reading}"


def describe_network(backbone: str, weights: str) -> str:
    """Return a network with its weights as text; a file that has the network's name is not repeated."""
    path = Path(weights)
    if weights not in PUBLISHED_NAMES and path.stem.removeprefix(TIMM_PREFIX) == backbone.removeprefix(TIMM_PREFIX):
        return backbone
    return f"{backbone} {path.name}"


def choose_default_start(settings: Settings, *, custom_network: bool = False) -> Start:
    """Return the start that is used without a comparison: the newest weights, and pictures squashed to a square."""
    weights = _NEWEST if settings.model.weights == "auto" else settings.model.weights
    if custom_network and weights in PUBLISHED_NAMES:
        weights = OWN_WEIGHTS
    backbone = AUTO_BACKBONE if settings.model.backbone == "auto" else settings.model.backbone
    backbone = CUSTOM if custom_network else backbone
    # Of several the last, since without a comparison the least is read.
    *_, features = list_features(settings.model, backbone, weights)
    return Start(backbone, weights, "squash" if settings.data.fit == "auto" else settings.data.fit, features)


def list_features(model: ModelSettings, backbone: str, weights: str) -> tuple[Features, ...]:
    """Return what the head of a network may read, the most first; each has the features of those behind it in front.

    Raises:
        ConfigError: More than the last map is asked for, and the head is not one of ours.
    """
    if model.features not in ("auto", "last") and (model.load_head or backbone == CUSTOM):
        whose = "that of the weights" if model.load_head else "the head of your own network"
        raise ConfigError(
            f"model.features={model.features} needs a new head, and {whose} is used; leave model.features at last"
        )
    if model.features != "auto":
        return (model.features,)
    if weights == "none" or model.load_head or backbone == CUSTOM or not has_stage_maps(backbone):
        return ("last",)
    return ("covariances", "last")


def choose_first_start(settings: Settings) -> Start:
    """Return the start that is used where there is no time for a comparison: the first whose weights are here.

    Raises:
        WeightsError: A file in the folder of weights is not named after a network.
    """
    networks = _list_networks(settings.model)
    if networks:
        backbone, weights = networks[0]
        settings = settings.model_copy(
            update={"model": settings.model.model_copy(update={"backbone": backbone, "weights": weights})}
        )
    return choose_default_start(settings)


def list_starts(settings: Settings, sides: Sequence[tuple[int, int]]) -> list[Start]:
    """Return the starts to compare, the network of the settings first if its weights are here, and the most to read.

    If no weights are here, there is one network, whose weights are fetched in any case.

    Args:
        settings: What the user asks for.
        sides: Width and height of some pictures in pixels.

    Raises:
        WeightsError: A file in the folder of weights is not named after a network.
    """
    default = choose_default_start(settings)
    networks = _list_networks(settings.model)
    if not networks and default.weights in PUBLISHED_NAMES:
        readings = list_features(settings.model, default.backbone, default.weights)
        return [default._replace(features=features) for features in readings]
    fits: tuple[Fit, ...] = (default.fit,)
    if settings.data.fit == "auto" and not _are_square(sides):
        fits = ("squash", "crop")
    return [
        Start(backbone, weights, fit, features)
        for backbone, weights in networks
        for fit in fits
        for features in list_features(settings.model, backbone, weights)
    ] or [default]


def is_found(start: Start, model: ModelSettings) -> bool:
    """Return whether a start was found on this machine, and is not named by the settings."""
    named = [(model.backbone, model.weights), *((one.backbone, one.weights) for one in model.candidates)]
    return model.weights == "auto" and (start.backbone, start.weights) not in named


def _are_square(sides: Sequence[tuple[int, int]]) -> bool:
    """Return whether the median picture is so nearly square that cropping and squashing give similar results."""
    return median(max(pair) / min(pair) for pair in sides) < _SQUARE


def _list_networks(model: ModelSettings) -> list[tuple[str, str]]:
    """Return backbones with their weights, which are all on this machine, without repetition."""
    if model.weights != "auto":
        own = [(model.backbone if model.backbone != "auto" else AUTO_BACKBONE, model.weights)]
    elif model.backbone != "auto":
        own = list(_list_weights_of(model.backbone))
    else:
        own = _list_all()
    named = [(given.backbone, given.weights) for given in model.candidates]
    return [pair for pair in dict.fromkeys([*own, *named]) if is_cached(*pair)]


def _list_weights_of(backbone: str) -> Iterator[tuple[str, str]]:
    """Yield what the weights of a network may be: published ones, the newest first, and the user's own files."""
    for name in ("imagenet",) if backbone.startswith(TIMM_PREFIX) else ("imagenet-v2", "imagenet-v1"):
        yield backbone, name
    yield from ((row.backbone, row.weights) for row in list_weights() if row.backbone == backbone and not row.url)


def _list_all() -> list[tuple[str, str]]:
    """Return all networks whose weights are on this machine, except very large ones; ResNet-50 comes first."""
    here = [row for row in list_weights() if row.path is not None]
    large = [row for row in here if _count_bytes(row) > _MAX_BYTES]
    if large:
        logger.info(
            "networks of more than %d MB are compared only if model.candidates names them: %s",
            _MAX_BYTES // 10**6,
            ", ".join(row.name for row in large),
        )
    kept = [row for row in here if row not in large]
    for row in kept:
        if not row.url and row.path is not None:
            check_own_file(OwnFile(row.backbone, row.path))
    kept.sort(key=lambda row: row.backbone != AUTO_BACKBONE)
    return [(row.backbone, row.weights) for row in kept]


def _count_bytes(row: WeightsRow) -> int:
    return 0 if row.path is None else row.path.stat().st_size
