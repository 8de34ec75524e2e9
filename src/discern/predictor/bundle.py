"""The bundle: a trained classifier with all that is needed to use it, without pickle.

`model.safetensors` has the weights; `bundle.json` has the class names, the preprocessing, the architecture and the
record of the training. `evidence.safetensors` has the predictions for the validation pictures,
`feature_bank.safetensors` and `feature_bank.csv` the features and names of training pictures; either may be missing.
`manifest.json` has the checksums of all others. Nothing that a bundle says is believed before it is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from discern.config.sections.training import Tta
from discern.data.reading.decode import DECODE_RULES
from discern.data.reading.preprocess import Preprocess
from discern.errors import BundleError
from discern.files import compute_sha256, write_atomically, write_json
from discern.models.architecture import Architecture
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.predictor.calibration import Calibration
from discern.predictor.description import (
    DESCRIPTION_FILE,
    FORMAT,
    FORMAT_VERSION,
    UNSIGNED_VERSION,
    BundleDescription,
    build_preprocess,
    check_description,
    read_description,
)
from discern.predictor.evidence import Evidence
from discern.predictor.feature_bank import FeatureBank
from discern.predictor.manifest import MANIFEST_FILE, check_files, load_manifest, save_manifest
from discern.predictor.record import TrainingRecord
from discern.predictor.stored_tensors import (
    EVIDENCE_FILE,
    FEATURE_BANK_FILE,
    FEATURE_BANK_NAMES_FILE,
    WEIGHTS_FILE,
    load_classifier,
    load_evidence,
    load_feature_bank,
)
from discern.version import __version__


@dataclass(frozen=True)
class Bundle:
    """A classifier with everything needed to use it.

    `class_names` is in the order of the logits; `max_pixels` is the size above which a picture is refused; `tta` are
    the views that answers are means over, and `calibration` and `evidence` of; `evidence` is None without a validation
    split, `feature_bank` where none was wanted; `record` describes the training, and is None where a bundle was not
    made by training.
    """

    classifier: Classifier
    architecture: Architecture
    class_names: tuple[str, ...]
    preprocess: Preprocess
    max_pixels: int
    tta: Tta = "none"
    calibration: Calibration = field(default_factory=Calibration)
    evidence: Evidence | None = None
    feature_bank: FeatureBank | None = None
    record: TrainingRecord | None = None


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; its manifest goes first and comes last, so that a folder with one is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in bundle.classifier.state_dict().items()}
    files = {"weights": _save_tensors(weights, folder / WEIGHTS_FILE)}
    names = [WEIGHTS_FILE]
    if bundle.evidence is not None:
        arrays = {name: values for name, values in vars(bundle.evidence).items() if values is not None}
        tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in arrays.items()}
        files["evidence"] = _save_tensors(tensors, folder / EVIDENCE_FILE)
        names.append(EVIDENCE_FILE)
    if bundle.feature_bank is not None:
        features = {"features": torch.from_numpy(bundle.feature_bank.features)}
        files["feature_bank"] = _save_tensors(features, folder / FEATURE_BANK_FILE)
        write_atomically(folder / FEATURE_BANK_NAMES_FILE, bundle.feature_bank.frame.to_csv(index=False))
        names += [FEATURE_BANK_FILE, FEATURE_BANK_NAMES_FILE]
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "discern_version": __version__,
        "class_names": list(bundle.class_names),
        "architecture": bundle.architecture.model_dump(mode="json"),
        "preprocess": bundle.preprocess.to_dict(),
        "decode": {**DECODE_RULES, "max_pixels": bundle.max_pixels},
        "tta": bundle.tta,
        "calibration": bundle.calibration.model_dump(),
        **files,
        "record": None if bundle.record is None else bundle.record.model_dump(mode="json"),
    }
    write_json(folder / DESCRIPTION_FILE, description)
    save_manifest(folder, [*names, DESCRIPTION_FILE])


def load_bundle(folder: Path, network: Network | None = None) -> Bundle:
    """Read a bundle, or the one of a run folder; the classifier is in evaluation mode on the CPU.

    Args:
        folder: The bundle or the run.
        network: The user's own, if the classifier was trained with one.

    Raises:
        BundleError: There is none, a part is missing, damaged or was changed, a newer version of discern wrote it, or
            the user's network is missing or another one.
    """
    folder = find_bundle(folder)
    path = folder / DESCRIPTION_FILE
    content = read_description(path)
    if content["format_version"] != UNSIGNED_VERSION:
        check_files(folder, load_manifest(folder), [DESCRIPTION_FILE, WEIGHTS_FILE])
    description = check_description(content, path)
    if content["format_version"] == UNSIGNED_VERSION:
        _check_unsigned(folder, description)
    preprocess = build_preprocess(description, path)
    classifier = load_classifier(
        folder / WEIGHTS_FILE,
        description.architecture,
        len(description.class_names),
        network,
        image_size=preprocess.image_size,
    )
    return Bundle(
        classifier=classifier,
        architecture=description.architecture,
        class_names=description.class_names,
        preprocess=preprocess,
        max_pixels=description.decode["max_pixels"],
        tta=description.tta,
        calibration=description.calibration,
        evidence=None if description.evidence is None else load_evidence(folder / EVIDENCE_FILE),
        feature_bank=None
        if description.feature_bank is None
        else load_feature_bank(
            folder / FEATURE_BANK_FILE, folder / FEATURE_BANK_NAMES_FILE, classifier.backbone.num_last_features
        ),
        record=description.record,
    )


def find_bundle(folder: Path) -> Path:
    """Return the folder of a bundle, which is given itself or as that of its run."""
    return folder / "bundle" if (folder / "bundle").is_dir() else folder


def fingerprint_bundle(folder: Path) -> str:
    """Return a hash that distinguishes a bundle, or that of a run folder, from others: of what has all checksums."""
    return compute_sha256(find_bundle(folder) / DESCRIPTION_FILE)


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> dict[str, str]:
    """Write tensors; return what the description says of the file."""
    # As bytes, since safetensors would make a file that only its owner may read.
    write_atomically(path, save(dict(tensors)))
    return {"file": path.name, "sha256": compute_sha256(path)}


def _check_unsigned(folder: Path, description: BundleDescription) -> None:
    """Check the files of a bundle of old, whose description has the checksums."""
    records = {
        WEIGHTS_FILE: description.weights,
        EVIDENCE_FILE: description.evidence,
        FEATURE_BANK_FILE: description.feature_bank,
    }
    for name, record in records.items():
        if record is None:
            continue
        if not (folder / name).is_file():
            raise BundleError(f"{folder / name} is missing: the bundle is not complete")
        if compute_sha256(folder / name) != record.get("sha256"):
            raise BundleError(f"{folder / name} is damaged: its checksum is not the one in {DESCRIPTION_FILE}")
