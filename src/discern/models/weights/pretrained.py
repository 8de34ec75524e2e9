"""Pretrained weights: found by name or path, fetched once, and loaded whole or not at all."""

import copy
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from discern.errors import ConfigError, WeightsError
from discern.files import compute_sha256, discern_home
from discern.models.backbone import Backbone, has_small_stem
from discern.models.resnet import Stem
from discern.models.weights.catalog import (
    PUBLISHED_NAMES,
    PublishedWeights,
    cached_timm_weights,
    find_weights,
    our_weights,
)
from discern.models.weights.download import download, find_cached
from discern.models.weights.head_tensors import HeadTensors, find_head
from discern.models.weights.own_files import OWN_NOTE, own_files
from discern.models.weights.state_dicts import fit_tensors, read_tensors

_SMALL_KERNEL = 3
"""The side of the first convolution of a small stem; the other one has 7."""


class WeightsRecord(NamedTuple):
    """Where the weights of a backbone came from."""

    source: str
    """The URL or the path."""
    sha256: str
    unused: tuple[str, ...]
    """Tensors of the file that the backbone does not have, such as those of a classifier."""
    note: str
    """Licence, where known."""
    licence: str
    """The same as the Hugging Face Hub writes it, such as "apache-2.0"; empty where it is not known."""


class WeightsRow(NamedTuple):
    """One file of weights: published, and perhaps here already, or of the user."""

    name: str
    url: str
    """Empty for the user's own files."""
    path: Path | None
    """Where it is on this machine; None where it is not."""
    note: str
    backbone: str
    weights: str
    """Both as the settings `model.backbone` and `model.weights` give them."""


def load_pretrained(
    backbone: Backbone, weights: str | Path, *, cache_folder: str | Path | None = None
) -> WeightsRecord:
    """Load pretrained weights into a backbone; position embeddings for images of another size are interpolated.

    Args:
        backbone: Left as it was when the weights do not fit.
        weights: "imagenet" ("imagenet-v1", "imagenet-v2"), downloaded unless cached; or the path of a .safetensors,
            .pth or .pt file, with or without a classifier.
        cache_folder: Where torchvision's files are kept, by default DISCERN_HOME/weights.

    Raises:
        WeightsError: The weights cannot be found, downloaded or read, or do not fit in full.
    """
    path, source, note, licence = _find_file(backbone, weights, cache_folder)
    tensors = read_tensors(path)
    trained_size = backbone.find_trained_size(tensors)
    if trained_size == backbone.image_size:
        unused = fit_tensors(backbone.network, tensors, source=source)
    else:
        trained = copy.deepcopy(backbone)
        trained.set_image_size(trained_size)
        unused = fit_tensors(trained.network, tensors, source=source)
        trained.set_image_size(backbone.image_size)
        backbone.load_state_dict(trained.state_dict())
    return WeightsRecord(source, compute_sha256(path), unused, note, licence)


def read_head(backbone: Backbone, weights: str | Path, *, cache_folder: str | Path | None = None) -> HeadTensors:
    """Return the head that pretrained weights hold beside those of a backbone.

    Args:
        backbone: Not changed.
        weights: As `load_pretrained` takes them.
        cache_folder: As `load_pretrained` takes it.

    Raises:
        WeightsError: The weights cannot be found, downloaded or read, or hold no head that is understood.
    """
    path, source, *_ = _find_file(backbone, weights, cache_folder)
    return find_head(read_tensors(path), backbone.network, backbone.num_features, source)


def read_stem(backbone_name: str, weights: str | Path) -> Stem:
    """Return the stem that a network needs for its weights: "small" for those of a file that has it, else "imagenet".

    A file that is missing raises no error here, but where it is loaded.

    Args:
        backbone_name: As `build_backbone` takes it.
        weights: As `load_pretrained` takes them.

    Raises:
        WeightsError: The file cannot be read.
    """
    path = Path(weights).expanduser()
    if str(weights) in PUBLISHED_NAMES or not has_small_stem(backbone_name) or not path.is_file():
        return "imagenet"
    of_colours = [tensor.shape for tensor in read_tensors(path).values() if tensor.ndim == 4 and tensor.shape[1] == 3]
    return "small" if any(shape[-1] == _SMALL_KERNEL for shape in of_colours) else "imagenet"


def is_cached(backbone_name: str, weights: str | Path, *, cache_folder: str | Path | None = None) -> bool:
    """Return whether weights can be loaded without a download; "none" and unpublished ones cannot.

    Args:
        backbone_name: As `build_backbone` takes it.
        weights: As `load_pretrained` takes them.
        cache_folder: Where torchvision's files are kept, by default DISCERN_HOME/weights.
    """
    if str(weights) not in PUBLISHED_NAMES:
        return str(weights) != "none" and Path(weights).expanduser().is_file()
    with suppress(WeightsError, ConfigError):
        return find_cached(find_weights(backbone_name, str(weights)), _choose_folder(cache_folder)) is not None
    return False


def fetch_weights(name: str, cache_folder: str | Path | None = None) -> Path:
    """Download published weights unless they are cached, and return their path.

    Args:
        name: "resnet50", "resnet50/imagenet-v1" or "timm:mobilenetv2_100".
        cache_folder: Where torchvision's files are kept, by default DISCERN_HOME/weights.

    Raises:
        WeightsError: Nothing is published under that name, or the download failed.
        ConfigError: timm has no such network.
    """
    backbone_name, _, version = name.partition("/")
    return _fetch(find_weights(backbone_name, version or "imagenet"), _choose_folder(cache_folder))


def list_weights(cache_folder: str | Path | None = None) -> list[WeightsRow]:
    """List all that is published for our own ResNets, what of timm's is cached, and the user's own files."""
    folder = _choose_folder(cache_folder)
    published = [*our_weights(), *cached_timm_weights()]
    own = [WeightsRow(one.backbone, "", one.path, OWN_NOTE, one.backbone, str(one.path)) for one in own_files(folder)]
    return [*(_list_published(weights, folder) for weights in published), *own]


def _list_published(weights: PublishedWeights, folder: Path) -> WeightsRow:
    backbone, _, version = weights.name.partition("/")
    path = find_cached(weights, folder)
    return WeightsRow(weights.name, weights.url, path, weights.note, backbone, version or "imagenet")


def _find_file(backbone: Backbone, weights: str | Path, cache_folder: str | Path | None) -> tuple[Path, str, str, str]:
    """Return where a file of weights is, its source, a note such as its licence, and the licence alone."""
    if str(weights) in PUBLISHED_NAMES:
        published = find_weights(backbone.name, str(weights))
        return _fetch(published, _choose_folder(cache_folder)), published.url, published.note, published.licence
    path = _existing(Path(weights).expanduser())
    return path, str(path), "", ""


def _choose_folder(cache_folder: str | Path | None) -> Path:
    return discern_home() / "weights" if cache_folder is None else Path(cache_folder)


def _fetch(published: PublishedWeights, folder: Path) -> Path:
    """Return the cached file, downloaded if need be."""
    path = find_cached(published, folder)
    if path is None:
        return download(published, folder)
    if not compute_sha256(path).startswith(published.checksum):
        raise WeightsError(
            f"{path} is damaged: its SHA-256 should start with {published.checksum}. "
            f"Delete it and run `discern weights fetch {published.name}`."
        )
    return path


def _existing(path: Path) -> Path:
    if not path.exists() and not path.suffix:
        raise WeightsError(
            f"{str(path)!r} is neither the name of published weights nor a file; expected "
            f"{', '.join(PUBLISHED_NAMES)}, none, or the path of a .safetensors, .pth or .pt file."
        )
    return path
