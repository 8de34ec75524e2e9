"""Which pretrained weights are published for which backbone, and where."""

import os
from contextlib import suppress
from typing import NamedTuple

from discern.errors import ConfigError, WeightsError
from discern.hub import HUB_URL, find_endpoint
from discern.models import timm_names
from discern.models.backbone import TIMM_PREFIX

PUBLISHED_NAMES = ("imagenet", "imagenet-v1", "imagenet-v2")

# torchvision's files, newest recipe first; a file name ends in the first digits of the file's SHA-256.
_TORCHVISION_FILES = {
    "resnet18": {"imagenet-v1": "resnet18-f37072fd.pth"},
    "resnet34": {"imagenet-v1": "resnet34-b627a593.pth"},
    "resnet50": {"imagenet-v2": "resnet50-11ad3fa6.pth", "imagenet-v1": "resnet50-0676ba61.pth"},
    "resnet101": {"imagenet-v2": "resnet101-cd907fc2.pth", "imagenet-v1": "resnet101-63fe2227.pth"},
    "resnet152": {"imagenet-v2": "resnet152-f82ba261.pth", "imagenet-v1": "resnet152-394f9c45.pth"},
}
# As torchvision states them, for both files of a network.
_TORCHVISION_MEBIBYTES = {"resnet18": 44.7, "resnet34": 83.3, "resnet50": 97.8, "resnet101": 170.5, "resnet152": 230.5}
_TORCHVISION_NOTE = "torchvision, BSD-3-Clause; trained on ImageNet-1k"
_TORCHVISION_LICENCE = "bsd-3-clause"
_TORCHVISION_URL = "https://download.pytorch.org/models"
_HUB_FILE = "model.safetensors"
_HUB_OWNER = "timm/"


class PublishedWeights(NamedTuple):
    """One published file of pretrained weights."""

    name: str
    """The name for `discern weights fetch`: "resnet50/imagenet-v2" or "timm:mobilenetv2_100.ra_in1k"."""
    url: str
    file_name: str
    """In the folder of discern's weights, or within the repository on the Hugging Face Hub."""
    checksum: str
    """The first digits of the file's SHA-256 in hex; empty where none is published."""
    hub_id: str
    """The repository on the Hugging Face Hub; empty for torchvision's files."""
    size_bytes: int | None
    """About; None for those on the Hub, which is asked before a download."""
    note: str
    licence: str
    """As the Hugging Face Hub writes it: "apache-2.0"; empty where it is not known."""


def find_weights(backbone_name: str, weights: str = "imagenet") -> PublishedWeights:
    """Return where the weights of a backbone are published.

    "imagenet" is torchvision's newest file for our ResNets, and what timm itself would load for timm's networks.
    The server can be replaced by a mirror: DISCERN_WEIGHTS_URL for torchvision's files, HF_ENDPOINT for timm's.

    Raises:
        WeightsError: Nothing is published under that name.
        ConfigError: timm has no such network.
    """
    if backbone_name.startswith(TIMM_PREFIX):
        return _find_timm_weights(backbone_name, weights)
    files = _TORCHVISION_FILES.get(backbone_name)
    if files is None:
        raise WeightsError(
            f"No weights are published for {backbone_name!r}, only for {', '.join(_TORCHVISION_FILES)} and timm's "
            "networks; give a path as model.weights, or model.weights=none to start from random ones."
        )
    version = next(iter(files)) if weights == "imagenet" else weights
    if version not in files:
        raise WeightsError(f"No {weights!r} is published for {backbone_name}; there is {', '.join(files)}.")
    file_name = files[version]
    base = os.environ.get("DISCERN_WEIGHTS_URL") or _TORCHVISION_URL
    return PublishedWeights(
        name=f"{backbone_name}/{version}",
        url=f"{base.rstrip('/')}/{file_name}",
        file_name=file_name,
        checksum=file_name.removesuffix(".pth").rpartition("-")[2],
        hub_id="",
        size_bytes=round(_TORCHVISION_MEBIBYTES[backbone_name] * 2**20),
        note=_TORCHVISION_NOTE,
        licence=_TORCHVISION_LICENCE,
    )


def our_weights() -> list[PublishedWeights]:
    """Return all that is published for our own ResNets."""
    return [find_weights(backbone, version) for backbone, files in _TORCHVISION_FILES.items() for version in files]


def cached_timm_weights() -> list[PublishedWeights]:
    """Return those of timm's weights that are in the cache of the Hugging Face Hub on this machine."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        # Downloads read this folder at each call; scan_cache_dir alone keeps the value of its first import.
        scan = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return []
    repositories = sorted(scan.repos, key=lambda repository: repository.repo_id)
    found = []
    for repository in repositories:
        has_file = any(file.file_name == _HUB_FILE for version in repository.revisions for file in version.files)
        if repository.repo_id.startswith(_HUB_OWNER) and has_file:
            with suppress(ConfigError, WeightsError):
                found.append(find_weights(TIMM_PREFIX + repository.repo_id.removeprefix(_HUB_OWNER)))
    ids = {repository.repo_id for repository in repositories}
    return [weights for weights in found if weights.hub_id in ids]


def _find_timm_weights(backbone_name: str, weights: str) -> PublishedWeights:
    config = timm_names.pretrained_config(backbone_name.removeprefix(TIMM_PREFIX))
    if weights != "imagenet":
        raise WeightsError(
            f'No {weights!r} is published for {backbone_name}; use "imagenet" and choose the weights by timm\'s tag, '
            f"as in {TIMM_PREFIX}{config.architecture}.TAG."
        )
    if not config.hf_hub_id:
        raise WeightsError(
            f"timm publishes no weights for {backbone_name}; "
            "give a path as model.weights, or model.weights=none to start from random ones."
        )
    full_name = ".".join(part for part in (config.architecture, config.tag) if part)
    base = find_endpoint() or HUB_URL
    return PublishedWeights(
        name=f"{TIMM_PREFIX}{full_name}",
        url=f"{base.rstrip('/')}/{config.hf_hub_id}/resolve/main/{_HUB_FILE}",
        file_name=_HUB_FILE,
        checksum="",
        hub_id=config.hf_hub_id,
        size_bytes=None,
        note=f"timm, {config.license or 'licence not stated'}",
        licence="" if config.license in (None, "unknown") else config.license,
    )
