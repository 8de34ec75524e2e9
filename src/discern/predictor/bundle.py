"""The bundle: a trained classifier with all that is needed to use it, without pickle.

`model.safetensors` has the weights; `bundle.json` has the class names, the preprocessing, the architecture, the record
of the training, and the checksums of the other files. `evidence.safetensors` has the predictions for the validation
pictures, `feature_bank.safetensors` and `feature_bank.csv` the features and names of training pictures; either may be
missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from discern.data.reading.decode import DECODE_RULES
from discern.data.reading.preprocess import Preprocess
from discern.errors import BundleError, ConfigError
from discern.files import compute_sha256, write_atomically, write_json
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.predictor.calibration import Calibration
from discern.predictor.evidence import Evidence
from discern.predictor.feature_bank import FeatureBank
from discern.predictor.record import TrainingRecord

FORMAT = "discern-bundle"
FORMAT_VERSION = 1
WEIGHTS_FILE = "model.safetensors"
EVIDENCE_FILE = "evidence.safetensors"
FEATURE_BANK_FILE = "feature_bank.safetensors"
FEATURE_BANK_NAMES_FILE = "feature_bank.csv"
DESCRIPTION_FILE = "bundle.json"


@dataclass(frozen=True)
class Bundle:
    """A classifier with everything needed to use it.

    `class_names` is in the order of the logits; `max_pixels` is the size above which a picture is refused; `evidence`
    is None without a validation split, `feature_bank` where none was wanted; `record` describes the training, and is
    None where a bundle was not made by training.
    """

    classifier: Classifier
    architecture: Architecture
    class_names: tuple[str, ...]
    preprocess: Preprocess
    max_pixels: int
    calibration: Calibration = field(default_factory=Calibration)
    evidence: Evidence | None = None
    feature_bank: FeatureBank | None = None
    record: TrainingRecord | None = None


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; its description comes last, so that a folder with one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in bundle.classifier.state_dict().items()}
    files = {"weights": _save_tensors(weights, folder / WEIGHTS_FILE)}
    if bundle.evidence is not None:
        arrays = {name: values for name, values in vars(bundle.evidence).items() if values is not None}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
        files["evidence"] = _save_tensors(tensors, folder / EVIDENCE_FILE)
    if bundle.feature_bank is not None:
        features = {"features": torch.from_numpy(bundle.feature_bank.features)}
        files["feature_bank"] = _save_tensors(features, folder / FEATURE_BANK_FILE)
        write_atomically(folder / FEATURE_BANK_NAMES_FILE, bundle.feature_bank.frame.to_csv(index=False))
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "discern_version": version("discern"),
        "class_names": list(bundle.class_names),
        "architecture": bundle.architecture.model_dump(mode="json"),
        "preprocess": bundle.preprocess.to_dict(),
        "decode": {**DECODE_RULES, "max_pixels": bundle.max_pixels},
        "calibration": bundle.calibration.model_dump(),
        **files,
        "record": None if bundle.record is None else bundle.record.model_dump(mode="json"),
    }
    write_json(folder / DESCRIPTION_FILE, description)


def load_bundle(folder: Path, network: Network | None = None) -> Bundle:
    """Read a bundle, or the one of a run folder; the classifier is in evaluation mode on the CPU.

    Args:
        folder: The bundle or the run.
        network: The user's own, if the classifier was trained with one.

    Raises:
        BundleError: There is none, a part is missing or damaged, a newer version of discern wrote it, or the user's
            network is missing or another one.
    """
    folder = folder / "bundle" if (folder / "bundle").is_dir() else folder
    content = _read_json(folder / DESCRIPTION_FILE)
    description = _check_description(content, folder / DESCRIPTION_FILE)
    class_names = description.class_names
    preprocess = Preprocess.from_dict(description.preprocess)
    try:
        classifier = build_classifier(
            description.architecture, len(class_names), network, image_size=preprocess.image_size
        )
    except ConfigError as error:
        raise BundleError(f"{folder}: {error}") from None
    _load_weights(classifier, _load_tensors(folder, WEIGHTS_FILE, description.weights))
    classifier.eval()
    max_pixels = int(description.decode["max_pixels"])
    return Bundle(
        classifier=classifier,
        architecture=description.architecture,
        class_names=class_names,
        preprocess=preprocess,
        max_pixels=max_pixels,
        calibration=description.calibration,
        evidence=_load_evidence(folder, description.evidence),
        feature_bank=_load_feature_bank(folder, description.feature_bank),
        record=description.record,
    )


class BundleDescription(BaseModel):
    """The schema of bundle.json; further keys are allowed."""

    discern_version: str = "of unknown version"
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    architecture: Architecture
    preprocess: dict[str, Any]
    decode: dict[str, Any]
    calibration: Calibration = Calibration()
    weights: dict[str, str]
    evidence: dict[str, str] | None = None
    feature_bank: dict[str, str] | None = None
    record: TrainingRecord | None = None

    @model_validator(mode="after")
    def _check_scales(self) -> Self:
        wanted = len(self.class_names)
        for name in ("scales", "biases"):
            found = getattr(self.calibration, name)
            if found is not None and len(found) != wanted:
                raise ValueError(f"calibration.{name} has {len(found)} numbers for {wanted} classes")
        return self


def _read_json(path: Path) -> dict[str, Any]:
    """Return what a description says, as far as it is one of ours and of this version."""
    if not path.is_file():
        raise BundleError(
            f"{path.parent} holds no trained classifier ({DESCRIPTION_FILE} is missing); "
            "give the folder of a complete run, or its bundle folder"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path} is damaged: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BundleError(f"{path} is not the description of a discern bundle")
    if content.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {content.get('format_version')}; this version of discern reads "
            f"{FORMAT_VERSION}. {_written_by(content)}"
        )
    return content


def _check_description(content: Mapping[str, Any], path: Path) -> BundleDescription:
    try:
        description = BundleDescription.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
        raise BundleError(
            f"{path} is not understood by this version of discern ({problems}). {_written_by(content)}"
        ) from None
    if len(set(description.class_names)) < len(description.class_names):
        raise BundleError(f"{path} has class names that occur twice")
    rules = {name: rule for name, rule in description.decode.items() if name != "max_pixels"}
    if rules != DECODE_RULES or not isinstance(description.decode.get("max_pixels"), int):
        raise BundleError(
            f"{path} was made with other rules for decoding pictures than this version of discern has, so its answers "
            f"would differ. {_written_by(content)}"
        )
    return description


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> dict[str, str]:
    """Write tensors; return what the description says of the file."""
    # As bytes, since safetensors would make a file that only its owner may read.
    write_atomically(path, save(dict(tensors)))
    return {"file": path.name, "sha256": compute_sha256(path)}


def _load_tensors(folder: Path, name: str, record: Mapping[str, str]) -> dict[str, Tensor]:
    path = folder / name
    if not path.is_file():
        raise BundleError(f"{path} is missing: the bundle is not complete")
    if compute_sha256(path) != record.get("sha256"):
        raise BundleError(f"{path} is damaged: its checksum is not the one in {DESCRIPTION_FILE}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BundleError(f"{path} is damaged: {error}") from None


def _load_weights(classifier: Classifier, tensors: Mapping[str, Tensor]) -> None:
    try:
        classifier.load_state_dict(tensors)
    except RuntimeError as error:
        reason = shorten(str(error), 300, placeholder=" ...")
        raise BundleError(f"{WEIGHTS_FILE} does not fit the network that {DESCRIPTION_FILE} names: {reason}") from None


def _load_evidence(folder: Path, record: Mapping[str, str] | None) -> Evidence | None:
    if record is None:
        return None
    arrays = {name: tensor.numpy() for name, tensor in _load_tensors(folder, EVIDENCE_FILE, record).items()}
    try:
        return Evidence(**arrays)
    except TypeError as error:
        raise BundleError(f"{folder / EVIDENCE_FILE} is not understood by this version of discern: {error}") from None


def _load_feature_bank(folder: Path, record: Mapping[str, str] | None) -> FeatureBank | None:
    if record is None:
        return None
    tensors, names = _load_tensors(folder, FEATURE_BANK_FILE, record), folder / FEATURE_BANK_NAMES_FILE
    try:
        frame = pd.read_csv(names, dtype="str", keep_default_na=False)
        return FeatureBank(tensors["features"].numpy(), frame[["id", "path", "label"]])
    except (OSError, ValueError, KeyError) as error:
        raise BundleError(f"{names} is missing or damaged: {error}") from None


def _written_by(description: Mapping[str, Any]) -> str:
    return f"It was written by discern {description.get('discern_version', 'of unknown version')}; use that version"
