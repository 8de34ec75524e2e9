"""Pretrained weights: found by name or path, fetched once, and loaded whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from discern.errors import ConfigError, WeightsError
from discern.files import compute_sha256
from discern.models.backbone import TIMM_PREFIX, Backbone
from discern.models.weights.catalog import PUBLISHED_NAMES, PublishedWeights, find_weights, our_weights
from discern.models.weights.download import download
from discern.models.weights.state_dicts import fit_tensors, read_tensors


class WeightsRecord(NamedTuple):
    """Where the weights of a backbone came from."""

    source: str
    """The URL or the path."""
    sha256: str
    unused: tuple[str, ...]
    """Tensors of the file that the backbone has no use for, such as a classifier's."""
    note: str
    """Licence, where known."""


class WeightsRow(NamedTuple):
    """One published file and whether it is here already."""

    name: str
    url: str
    path: Path
    cached: bool
    note: str


def discern_home() -> Path:
    """Return the folder for what is kept between runs: DISCERN_HOME, or .cache/discern in the user's home."""
    return Path(os.environ.get("DISCERN_HOME") or Path.home() / ".cache" / "discern").expanduser()


def load_pretrained(backbone: Backbone, weights: str | Path, *, cache_folder: Path) -> WeightsRecord:
    """Load pretrained weights into a backbone.

    Args:
        backbone: Left as it was when the weights do not fit.
        weights: "imagenet" ("imagenet-v1", "imagenet-v2"), downloaded unless cached; or the path of a .safetensors,
            .pth or .pt file, with or without a classifier.
        cache_folder: Where downloaded files are kept.

    Raises:
        WeightsError: The weights cannot be found, downloaded or read, or do not fit in full.
    """
    if str(weights) in PUBLISHED_NAMES:
        published = find_weights(backbone.name, str(weights))
        path, source, note = _fetch(published, cache_folder), published.url, published.note
    else:
        path = Path(weights).expanduser()
        source, note = str(path), ""
    tensors = read_tensors(_existing(path))
    unused = fit_tensors(backbone.network, tensors, source=source)
    return WeightsRecord(source, compute_sha256(path), unused, note)


def fetch_weights(name: str, cache_folder: Path) -> Path:
    """Download published weights unless they are cached, and return their path.

    Args:
        name: "resnet50", "resnet50/imagenet-v1" or "timm:mobilenetv2_100".
        cache_folder: Where downloaded files are kept.

    Raises:
        WeightsError: Nothing is published under that name, or the download failed.
        ConfigError: timm has no such network.
    """
    backbone_name, _, version = name.partition("/")
    return _fetch(find_weights(backbone_name, version or "imagenet"), cache_folder)


def list_weights(cache_folder: Path) -> list[WeightsRow]:
    """List all that is published for our own ResNets, and what of timm's is cached."""
    published = our_weights()
    for path in sorted(cache_folder.glob("timm--*.safetensors")):
        with suppress(ConfigError, WeightsError):
            published.append(find_weights(TIMM_PREFIX + path.stem.removeprefix("timm--")))
    return [
        WeightsRow(weights.name, weights.url, path, path.is_file(), weights.note)
        for weights in published
        for path in [cache_folder / weights.file_name]
    ]


def _fetch(published: PublishedWeights, cache_folder: Path) -> Path:
    """Return the cached file, downloaded if need be."""
    path = cache_folder / published.file_name
    if not path.is_file():
        next_step = (
            f"Fetch it where there is a network (`discern weights fetch {published.name}` keeps it as {path}), "
            "give a file as model.weights=PATH, or start from random weights with model.weights=none."
        )
        download(published.url, path, checksum=published.checksum, next_step=next_step)
        _check_readable(path, published.url, next_step)
    elif not compute_sha256(path).startswith(published.checksum):
        raise WeightsError(
            f"{path} is damaged: its SHA-256 should start with {published.checksum}. "
            f"Delete it and run `discern weights fetch {published.name}`."
        )
    return path


def _check_readable(path: Path, url: str, next_step: str) -> None:
    """Remove what is no weights file after all, such as the page of a hotel's network."""
    try:
        read_tensors(path)
    except WeightsError as error:
        path.unlink()
        raise WeightsError(f"{url} did not send weights; nothing was kept. {next_step}") from error


def _existing(path: Path) -> Path:
    if not path.exists() and not path.suffix:
        raise WeightsError(
            f"{str(path)!r} names no published weights and no file; expected {', '.join(PUBLISHED_NAMES)}, none, "
            "or the path of a .safetensors, .pth or .pt file."
        )
    return path


def is_cached(backbone_name: str, weights: str) -> bool:
    """Return whether published weights are in the cache."""
    with suppress(WeightsError, ConfigError):
        return (discern_home() / "weights" / find_weights(backbone_name, weights).file_name).is_file()
    return False
