"""Everything that is decided before the first epoch, and decided again in the same way on resuming."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discern.config.settings import Settings
from discern.data.loaders import choose_workers
from discern.data.preprocess import Preprocess
from discern.data.sources import Source
from discern.data.split import apply_split
from discern.data.table import ImageTable
from discern.errors import RunFolderError
from discern.models.backbone import Backbone
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.weights import discern_home, load_pretrained
from discern.run_folder import RunFolder
from discern.runtime import Runtime, describe_environment, resolve_runtime
from discern.training.batches import TrainingData
from discern.workflows.choices import resolve_choices
from discern.workflows.pictures import load_labelled, split_pictures

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Prepared:
    """Settings without `auto`, pictures in splits, the runtime, and what environment.json records."""

    settings: Settings
    table: ImageTable
    runtime: Runtime
    environment: dict[str, Any]


def prepare(source: Source, settings: Settings, folder: RunFolder) -> Prepared:
    """Load, check and split the pictures and decide what is `auto`."""
    logger.info("recipe %s: %s", settings.recipe.name, settings.recipe.purpose)
    runtime = _resolve_runtime(settings)
    table = load_labelled(source, settings.data, folder.bad_files)
    table = split_pictures(table, settings.data, settings.run.seed, folder)
    settings, reasons = resolve_choices(settings, table)
    environment = describe_environment(runtime)
    environment["data"] = {
        "source": str(Path(source).resolve()) if isinstance(source, str | Path) else None,
        "fingerprint": table.fingerprint(),
    }
    environment["choices"] = reasons
    return Prepared(settings, table, runtime, environment)


def prepare_again(source: Source | None, settings: Settings, folder: RunFolder) -> Prepared:
    """Load the pictures of an interrupted run, in the same splits.

    Raises:
        RunFolderError: The data were in memory and are not given again, or they have changed.
    """
    environment = json.loads(folder.environment.read_text(encoding="utf-8"))
    data = environment["data"]
    source = data["source"] if source is None else source
    if source is None:
        raise RunFolderError(f"the run in {folder.root} was begun with data in memory; give the same data again")
    runtime = _resolve_runtime(settings)
    table = apply_split(load_labelled(source, settings.data, folder.bad_files), folder.split)
    if table.fingerprint() != data["fingerprint"]:
        raise RunFolderError(
            f"{table.source} is not what the run in {folder.root} was begun with: pictures, labels or file sizes "
            "differ; start a new run with another --out"
        )
    return Prepared(settings, table, runtime, environment)


def check_same_settings(wanted: Settings, begun: Settings, table: ImageTable, folder: RunFolder) -> None:
    """Raise when a run is resumed with other settings than it was begun with.

    Raises:
        RunFolderError: With every setting that differs.
    """
    old, new = _flatten(begun.to_dict()), _flatten(resolve_choices(wanted, table)[0].to_dict())
    names = sorted(name for name in old | new if old.get(name) != new.get(name) and not name.startswith("recipe."))
    if names:
        changes = "; ".join(f"{name} was {old.get(name)} and is now {new.get(name)}" for name in names)
        raise RunFolderError(
            f"the run in {folder.root} was begun with other settings: {changes}. "
            "Resume with the same ones (or none), or start a new run with another --out"
        )


def build_pretrained(prepared: Prepared) -> Classifier:
    """Build the classifier on the device, with its pretrained weights; their origin goes into the environment."""
    classifier = build_untrained(prepared)
    weights = prepared.settings.model.weights
    if weights == "none":
        logger.info("the network starts from scratch")
    else:
        record = load_pretrained(classifier.backbone, weights, cache_folder=discern_home() / "weights")
        prepared.environment["weights"] = record._asdict()
        logger.info("the network starts with weights from %s", record.source)
    return classifier


def build_untrained(prepared: Prepared) -> Classifier:
    """Build the classifier on the device, with random weights."""
    model, size = prepared.settings.model, prepared.settings.data.image_size
    classifier = build_classifier(model, len(prepared.table.class_names))
    if isinstance(size, int):
        classifier.backbone.check_image_size(size)
    prepared.runtime.place(classifier)
    millions = classifier.count_parameters().all / 1e6
    logger.info("%s with a %s head, %.1f million parameters", model.backbone, model.head, millions)
    return classifier


def build_training_data(prepared: Prepared, backbone: Backbone) -> TrainingData:
    """Decide how the pictures are read."""
    settings = prepared.settings
    if settings.data.image_size == "auto":
        raise ValueError("the image size is still auto")
    train = prepared.table.select("train")
    return TrainingData(
        train=train,
        validation=prepared.table.select("validation"),
        preprocess=Preprocess(settings.data.image_size, settings.data.fit, backbone.mean, backbone.std),
        batch_size=settings.training.batch_size,
        seed=settings.run.seed,
        workers=choose_workers(settings.data.workers, len(train), prepared.runtime.device.type),
        max_pixels=settings.data.max_pixels,
        class_balanced=settings.training.balance == "sampler",
    )


def _resolve_runtime(settings: Settings) -> Runtime:
    run = settings.run
    runtime = resolve_runtime(
        device=run.device, precision=run.precision, threads=run.threads, determinism=run.determinism
    )
    logger.info("%s, seed %d", runtime.describe(), run.seed)
    return runtime


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
