"""The tensors of a bundle, checked against what they are for before and after they are read."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from discern.errors import BundleError, ConfigError, name_some, one_line
from discern.models.architecture import CUSTOM, Architecture
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.predictor.evidence import Evidence
from discern.predictor.feature_bank import FeatureBank

WEIGHTS_FILE = "model.safetensors"
EVIDENCE_FILE = "evidence.safetensors"
FEATURE_BANK_FILE = "feature_bank.safetensors"
FEATURE_BANK_NAMES_FILE = "feature_bank.csv"

_MAX_ROW_BYTES = 2**16
_ROUNDING = 1e-2


def load_classifier(
    path: Path, architecture: Architecture, num_classes: int, network: Network | None, *, image_size: int
) -> Classifier:
    """Build a classifier with the weights of a file, in evaluation mode.

    Raises:
        BundleError: The weights do not fit the architecture or the number of classes, or are not finite.
    """
    try:
        if network is None and architecture.backbone != CUSTOM:
            _check_shapes(path, architecture, num_classes, image_size)
        classifier = build_classifier(architecture, num_classes, network, image_size=image_size)
    except ConfigError as error:
        raise BundleError(f"{path.parent}: {error}") from None
    tensors = _load(path)
    wrong = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise BundleError(
            f"{path} has weights that are not finite: {name_some(wrong)}; take the bundle from a copy, or train again"
        )
    try:
        classifier.load_state_dict(tensors)
    except RuntimeError as error:
        raise BundleError(_describe_misfit(path, str(error))) from None
    return classifier.eval()


def load_evidence(path: Path) -> Evidence:
    """Return the evidence of a file.

    Raises:
        BundleError: It is damaged, or its arrays do not fit each other.
    """
    tensors = _load(path)
    try:
        evidence = Evidence(**{name: tensor.numpy() for name, tensor in tensors.items()})
    except TypeError as error:
        raise BundleError(f"{path} is not understood by this version of discern: {error}") from None
    shares = [evidence.confidences, evidence.true_probabilities]
    fits = (
        len({tensor.shape for tensor in tensors.values()}) == 1
        and evidence.confidences.ndim == 1
        and evidence.is_right.dtype == np.bool_
        and all(values.dtype == np.float64 and ((values >= 0) & (values <= 1)).all() for values in shares)
        and (evidence.similarities is None or bool((np.abs(evidence.similarities) <= 1 + _ROUNDING).all()))
    )
    if not fits:
        raise BundleError(f"{path} is damaged: its arrays do not fit each other, or are no shares from 0 to 1")
    return evidence


def load_feature_bank(features_path: Path, names_path: Path, num_features: int) -> FeatureBank:
    """Return the feature bank of two files.

    Raises:
        BundleError: One is damaged, or they do not fit each other or the network.
    """
    features = _load(features_path).get("features")
    if (
        features is None
        or features.dtype not in (torch.float16, torch.float32)
        or features.ndim != 2
        or features.shape[1] != num_features
        or not len(features)
        or not torch.isfinite(features).all()
    ):
        raise BundleError(f"{features_path} is damaged: it has no finite features of length {num_features}")
    try:
        if names_path.stat().st_size > _MAX_ROW_BYTES * (len(features) + 1):
            raise ValueError("it is too large")
        frame = pd.read_csv(names_path, dtype="str", keep_default_na=False)[["id", "path", "label"]]
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"{names_path} is missing or damaged: {one_line(error)}") from None
    if len(frame) != len(features):
        raise BundleError(f"{names_path} is damaged: it has {len(frame)} rows for {len(features)} pictures")
    return FeatureBank(features.numpy(), frame)


def _check_shapes(path: Path, architecture: Architecture, num_classes: int, image_size: int) -> None:
    """Compare the shapes in a file with those of the network, which is built without memory for that."""
    found = _read_shapes(path)
    largest = max((max(shape, default=0) for shape in found.values()), default=0)
    widths = [*architecture.hidden_features, num_classes] if architecture.head == "mlp" else [num_classes]
    if max(widths) > largest or len(widths) > len(found):
        raise BundleError(_describe_misfit(path, f"it has no layers of the widths {name_some(list(map(str, widths)))}"))
    try:
        with torch.device("meta"):
            expected = build_classifier(architecture, num_classes, image_size=image_size).state_dict()
    except (RuntimeError, NotImplementedError):
        return  # a network that cannot be built without memory
    wrong = [
        f"{name}: {tuple(found[name]) if name in found else 'missing'} instead of {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if found.get(name) != list(tensor.shape)
    ]
    wrong += [f"{name} is unknown" for name in found if name not in expected]
    if wrong:
        raise BundleError(_describe_misfit(path, name_some(wrong, shown=3)))


def _read_shapes(path: Path) -> Mapping[str, list[int]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}") from None


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise BundleError(f"{path} is damaged: {one_line(error)}") from None


def _describe_misfit(path: Path, reason: str) -> str:
    return f"{path} does not fit the network and the classes that bundle.json names: {one_line(reason)}"
