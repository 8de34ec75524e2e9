"""The bundle: a trained classifier with all that is needed to use it, without pickle.

`model.safetensors` has the weights; `bundle.json` has the class names, the preprocessing, the architecture, the
settings, scores, versions and a fingerprint of the data, and the checksum of the weights.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from discern.config.settings import ModelSettings
from discern.data.decode import DECODE_RULES
from discern.data.preprocess import Preprocess
from discern.errors import BundleError
from discern.files import replacing, write_json
from discern.models.build import build_classifier
from discern.models.classifier import Classifier

FORMAT = "discern-bundle"
FORMAT_VERSION = 1
WEIGHTS_FILE = "model.safetensors"
DESCRIPTION_FILE = "bundle.json"
_REQUIRED = ("class_names", "architecture", "preprocess", "decode", "weights")


@dataclass(frozen=True)
class Bundle:
    """A classifier and what it needs to be used.

    `class_names` is in the order of the logits; `max_pixels` is the size above which a picture is refused; `facts` are
    for people and reports: settings, scores, versions, data, source of the pretrained weights.
    """

    classifier: Classifier
    architecture: ModelSettings
    class_names: tuple[str, ...]
    preprocess: Preprocess
    max_pixels: int
    facts: dict[str, Any] = field(default_factory=dict)


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; its description comes last, so that a folder with one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in bundle.classifier.state_dict().items()}
    with replacing(folder / WEIGHTS_FILE) as temporary:
        save_file(tensors, temporary)
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "discern_version": version("discern"),
        "class_names": list(bundle.class_names),
        "architecture": bundle.architecture.model_dump(mode="json"),
        "preprocess": bundle.preprocess.to_dict(),
        "decode": {**DECODE_RULES, "max_pixels": bundle.max_pixels},
        "weights": {"file": WEIGHTS_FILE, "sha256": _hash_file(folder / WEIGHTS_FILE)},
        **bundle.facts,
    }
    write_json(folder / DESCRIPTION_FILE, description)


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle, or the one of a run folder; the classifier is in evaluation mode on the CPU.

    Raises:
        BundleError: There is none, a part is missing or damaged, or a newer version of discern wrote it.
    """
    folder = folder / "bundle" if (folder / "bundle").is_dir() else folder
    description = _read_description(folder)
    class_names = _read_class_names(description["class_names"], folder)
    try:
        architecture = ModelSettings.model_validate(description["architecture"])
    except ValidationError as error:
        names = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise BundleError(
            f"the architecture in {folder / DESCRIPTION_FILE} has settings that this version of discern does not "
            f"understand: {names}. {_written_by(description)}"
        ) from None
    decode = dict(description["decode"])
    max_pixels = decode.pop("max_pixels", None)
    if decode != DECODE_RULES:
        raise BundleError(
            f"{folder / DESCRIPTION_FILE} was made with other rules for decoding pictures than this version of discern "
            f"has, so its answers would differ. {_written_by(description)}"
        )
    if not isinstance(max_pixels, int):
        raise BundleError(f"{folder / DESCRIPTION_FILE} has no limit max_pixels in its rules for decoding")
    classifier = build_classifier(architecture, len(class_names))
    _load_weights(classifier, folder, description["weights"])
    classifier.eval()
    preprocess = Preprocess.from_dict(description["preprocess"])
    facts = {key: value for key, value in description.items() if key not in _REQUIRED}
    return Bundle(classifier, architecture, class_names, preprocess, max_pixels, facts)


def _read_description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION_FILE
    if not path.is_file():
        raise BundleError(
            f"{folder} holds no trained classifier ({DESCRIPTION_FILE} is missing); "
            "give the folder of a complete run, or its bundle folder"
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path} is damaged: {error}") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise BundleError(f"{path} is not the description of a discern bundle")
    if description.get("format_version") != FORMAT_VERSION:
        raise BundleError(
            f"{path} has format version {description.get('format_version')}; this version of discern reads "
            f"{FORMAT_VERSION}. {_written_by(description)}"
        )
    missing = [key for key in _REQUIRED if key not in description]
    if missing:
        raise BundleError(f"{path} lacks {', '.join(missing)}; without that a classifier cannot be used")
    return description


def _read_class_names(names: object, folder: Path) -> tuple[str, ...]:
    if not isinstance(names, list) or len(set(map(str, names))) != len(names) or len(names) < 2:
        raise BundleError(f"{folder / DESCRIPTION_FILE} has no list of two or more different class names")
    return tuple(map(str, names))


def _load_weights(classifier: Classifier, folder: Path, record: Mapping[str, Any]) -> None:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise BundleError(f"{path} is missing: the bundle has no weights")
    if _hash_file(path) != record.get("sha256"):
        raise BundleError(f"{path} is damaged: its checksum is not the one in {DESCRIPTION_FILE}")
    try:
        classifier.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        raise BundleError(f"{path} does not fit the architecture in {DESCRIPTION_FILE}: {error}") from None


def _written_by(description: Mapping[str, Any]) -> str:
    return f"It was written by discern {description.get('discern_version', 'of unknown version')}; use that version"


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
