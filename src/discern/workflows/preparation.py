"""Everything that is decided before the first epoch, and decided again in the same way on resuming."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discern.config.load import read_settings, save_settings
from discern.config.settings import Settings
from discern.data.augment import build_augment
from discern.data.loaders import choose_workers
from discern.data.preprocess import Preprocess
from discern.data.sources import Source
from discern.data.split import apply_split, save_split
from discern.data.table import ImageTable
from discern.errors import RunFolderError
from discern.files import write_atomically, write_json
from discern.models.backbone import Backbone
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.weights import discern_home, load_pretrained
from discern.run_folder import RUN_FORMAT, RunFolder
from discern.runtime import Runtime, describe_environment, resolve_runtime
from discern.training.batches import TrainingData
from discern.training.plan import check_plan
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
    """Load, check and split the pictures and decide what is `auto`; nothing is written but a list of bad files."""
    logger.info("recipe %s: %s", settings.recipe.name, settings.recipe.purpose)
    for stage in settings.training.stages:
        build_augment(stage.augment, 64)  # a policy that does not exist is an error now, and not after a stage
    runtime = _resolve_runtime(settings)
    pictures = load_labelled(source, settings.data, folder.bad_files)
    table = split_pictures(pictures.table, settings.data, settings.run.seed, pictures.dropped)
    settings, reasons = resolve_choices(settings, table)
    environment = {"format": RUN_FORMAT, **describe_environment(runtime)}
    environment["data"] = {
        "source": str(Path(source).resolve()) if isinstance(source, str | Path) else None,
        "fingerprint": table.fingerprint(),
    }
    environment["choices"] = reasons
    return Prepared(settings, table, runtime, environment)


def begin_run(prepared: Prepared, folder: RunFolder) -> None:
    """Make the folder of a new run and write what is known before training; an earlier run in it goes now."""
    if folder.holds_run():
        bad_files = folder.bad_files.read_bytes() if folder.bad_files.exists() else None
        folder.clear()
        if bad_files is not None:
            write_atomically(folder.bad_files, bad_files)
    folder.root.mkdir(parents=True, exist_ok=True)
    write_json(folder.environment, prepared.environment)
    save_split(prepared.table, folder.split)
    save_settings(prepared.settings, folder.config)


def prepare_again(source: Source | None, wanted: Settings, folder: RunFolder) -> Prepared:
    """Load the pictures of an interrupted run, in the same splits, and check that it is the same run.

    Raises:
        RunFolderError: The data were in memory and are not given again, or data or settings have changed.
    """
    environment = _read_environment(folder)
    source = environment["data"]["source"] if source is None else source
    if source is None:
        raise RunFolderError(f"the run in {folder.root} was begun with data in memory; give the same data again")
    runtime = _resolve_runtime(wanted)
    pictures = load_labelled(source, wanted.data, folder.bad_files)
    table = apply_split(pictures.table, folder.split, dropped=pictures.dropped)
    if table.fingerprint() != environment["data"]["fingerprint"]:
        raise RunFolderError(
            f"{table.source} is not what the run in {folder.root} was begun with: pictures, labels or file sizes "
            "differ; start a new run with another --out"
        )
    settings, _ = resolve_choices(wanted, table)
    _check_same_settings(settings, read_settings(folder.config), folder)
    environment.setdefault("resumed", []).append(describe_environment(runtime))
    write_json(folder.environment, environment)
    return Prepared(settings, table, runtime, environment)


def check_outside_data(folder: RunFolder, source: Source) -> None:
    """Raise when a run would be written into the folder of pictures, where the next training would find it.

    Raises:
        RunFolderError: `folder` is the folder of pictures, or inside it.
    """
    if not isinstance(source, str | Path) or not Path(source).is_dir():
        return
    data, out = Path(source).resolve(), folder.root.resolve()
    if out == data or data in out.parents:
        raise RunFolderError(f"{folder.root} is inside the folder of pictures {source}; give an --out outside of it")


def _read_environment(folder: RunFolder) -> dict[str, Any]:
    try:
        environment: dict[str, Any] = json.loads(folder.environment.read_text(encoding="utf-8"))
        _ = environment["data"]["source"], environment["data"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{folder.environment} is damaged ({error}); start anew with --overwrite") from None
    return environment


def _check_same_settings(wanted: Settings, begun: Settings, folder: RunFolder) -> None:
    old, new = _flatten(begun.to_dict()), _flatten(wanted.to_dict())
    names = sorted(name for name in old | new if old.get(name) != new.get(name) and not _may_change(name))
    if names:
        changes = "; ".join(f"{name} was {old.get(name)} and is now {new.get(name)}" for name in names)
        raise RunFolderError(
            f"the run in {folder.root} was begun with other settings: {changes}. "
            "Resume with the same ones (or none), or start a new run with another --out"
        )


def _may_change(name: str) -> bool:
    return name in ("run.device", "run.threads", "data.workers") or name.startswith("recipe.")


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
    check_plan(prepared.settings.training.stages, classifier.stage_names)
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


def _flatten(value: object, prefix: str = "") -> dict[str, object]:
    """Return every plain value by its dotted name; the stages of a plan are numbered."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        items = [(str(number), inner) for number, inner in enumerate(value)]
    else:
        return {prefix: value}
    flat: dict[str, object] = {}
    for name, inner in items:
        flat |= _flatten(inner, f"{prefix}.{name}" if prefix else name)
    return flat
