"""Weights alone, by the names that torchvision or timm has for them: a .safetensors file, or a .pth without pickles."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from discern.data.reading.preprocess import Preprocess
from discern.errors import ExportError, WeightsError, one_line
from discern.exporting.plain_network import PlainNetwork, load_strictly, rename_tensors
from discern.models.weights.state_dicts import read_tensors
from discern.predictor.bundle import Bundle

_METADATA_FILE = "extra/discern.json"
"""The place within a .pth file, beside what torch reads of it."""


def save_safetensors(bundle: Bundle, metadata: Mapping[str, str], path: Path) -> None:
    """Write weights and metadata as a .safetensors file.

    Raises:
        ExportError: Neither torchvision nor timm has such a network.
    """
    tensors, described = _prepare(bundle, metadata)
    path.write_bytes(save(tensors, metadata=described))


def save_pth(bundle: Bundle, metadata: Mapping[str, str], path: Path) -> None:
    """Write weights and metadata as a .pth file: a dict of tensors, which `torch.load(weights_only=True)` reads.

    Raises:
        ExportError: Neither torchvision nor timm has such a network.
    """
    tensors, described = _prepare(bundle, metadata)
    torch.save(tensors, path)
    with zipfile.ZipFile(path, "a") as archive:
        folder = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{folder}/{_METADATA_FILE}", json.dumps(described, ensure_ascii=False))


class WeightsFile:
    """Exported weights in the network of torchvision or timm, on the CPU; `threads` are those of the process."""

    def __init__(self, path: Path, threads: int) -> None:  # noqa: ARG002 - every format is opened alike
        try:
            tensors = read_tensors(path)
            self.metadata = _read_metadata(path)
        except (WeightsError, OSError, ValueError, zipfile.BadZipFile) as error:
            raise ExportError(f"{path} cannot be read: {one_line(error)}") from error
        if "network" not in self.metadata:
            raise ExportError(f"{path} was not made by discern export: it does not state its network")
        plain = PlainNetwork.model_validate_json(self.metadata["network"])
        preprocessing = json.loads(self.metadata["preprocessing"])
        del preprocessing["where"]
        self._preprocess = Preprocess.from_dict(preprocessing)
        self._network = load_strictly(plain, tensors)
        self.runtime = f"{plain.library}'s {plain.name}, torch {torch.__version__}"

    @torch.inference_mode()
    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (N, K) of images (N, H, W, 3)."""
        fitted = torch.stack([self._preprocess.fit_image(Image.fromarray(image)) for image in images])
        logits: Tensor = self._network(self._preprocess.normalize(fitted))
        return logits.softmax(dim=1).numpy()


def _prepare(bundle: Bundle, metadata: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    plain = PlainNetwork.of(bundle)
    return rename_tensors(bundle, plain), {**metadata, "network": plain.model_dump_json()}


def _read_metadata(path: Path) -> dict[str, str]:
    """Return what a file says of itself; nothing where it was not made here."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    with zipfile.ZipFile(path) as archive:
        found = [name for name in archive.namelist() if name.partition("/")[2] == _METADATA_FILE]
        return dict(json.loads(archive.read(found[0]))) if found else {}
