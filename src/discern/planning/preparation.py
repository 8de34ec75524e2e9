"""Everything that is decided before the first epoch, and decided again in the same way on resuming."""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from discern.allocation import prefer_huge_pages
from discern.auditing.before_training import audit_before_training
from discern.auditing.build import Audit
from discern.config.describe import flatten_settings
from discern.config.load import read_settings, save_settings
from discern.config.settings import PhaseSettings, Settings
from discern.data.cache.free_memory import compute_free_memory_bytes
from discern.data.cache.home import build_cache
from discern.data.prepare import load_fingerprinted, prepare_pictures
from discern.data.reading.augment import check_policy
from discern.data.reading.loaders import choose_workers
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.load import Source
from discern.data.splitting.sample import sample_table
from discern.data.splitting.split import apply_split, save_split
from discern.data.table import ImageTable
from discern.engine.forward import check_same_rows
from discern.environment import RUN_FORMAT
from discern.errors import ConfigError, DataError, RunFolderError
from discern.files import write_atomically, write_json
from discern.models.backbone import Backbone
from discern.models.build import build_classifier
from discern.models.classifier import HEAD, Classifier
from discern.models.weights.pretrained import discern_home, load_pretrained
from discern.planning.choices import choose_architecture, measure_shorter_side, resolve_choices
from discern.planning.start import choose_start
from discern.predictor.feature_bank import choose_remembered
from discern.processes import join_processes
from discern.run_folder import RunFolder
from discern.runtime import Runtime, describe_environment, resolve_runtime
from discern.training.batches import TrainingData, scale_size
from discern.training.schedule_plan import check_plan

logger = logging.getLogger("discern")

_FEATURE_MEMORY_SHARE = 0.25
_SUPPOSED_MEMORY_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Prepared:
    """Settings without `auto`, pictures in splits, the runtime, and what environment.json records."""

    settings: Settings
    table: ImageTable
    runtime: Runtime
    environment: dict[str, Any]
    audit: Audit | None = None
    leaks: pd.DataFrame | None = None


def prepare(source: Source, settings: Settings, folder: RunFolder) -> Prepared:
    """Load, check and split the pictures and decide what is `auto`; nothing is written but a list of bad files."""
    logger.info("recipe %s: %s", settings.recipe.name, settings.recipe.purpose)
    for phase in settings.training.phases:
        if phase.augment != "auto":
            check_policy(phase.augment)  # a policy that does not exist is an error now, and not after a phase
    runtime = _resolve_runtime(settings)
    bad_files = folder.bad_files if runtime.processes.is_main else None
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    pictures = prepare_pictures(source, settings.data, seed=settings.run.seed, cache=cache, bad_files=bad_files)
    audit = audit_before_training(pictures, settings, runtime, cache)
    table = pictures.table
    settings, start = choose_start(settings, table, runtime, cache)
    for name, reason in start.items():
        logger.info("%s: %s", name, reason)
    settings, reasons = resolve_choices(settings, table, runtime)
    environment = {"format": RUN_FORMAT, **describe_environment(runtime)}
    environment["data"] = {
        "source": str(Path(source).resolve()) if isinstance(source, str | Path) else None,
        "fingerprint": table.fingerprint(),
        "fixes": [file.to_dict() for file in pictures.checked.fixes],
    }
    environment["choices"] = start | reasons
    return Prepared(settings, table, runtime, environment, audit, pictures.leaks)


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
    if prepared.audit is not None:
        write_json(folder.audit, prepared.audit.content)
    if prepared.leaks is not None:
        write_atomically(folder.leaks, prepared.leaks.to_csv(index=False))
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
    bad_files = folder.bad_files if runtime.processes.is_main else None
    cache = build_cache(wanted.cache.folder, wanted.cache.limit_gigabytes)
    pictures = load_fingerprinted(source, wanted.data, bad_files, cache)
    fixes = [file.to_dict() for file in pictures.fixes]
    if [file["sha256"] for file in fixes] != [file["sha256"] for file in environment["data"].get("fixes", [])]:
        raise RunFolderError(
            f"the files of fixes are not what they were when the run in {folder.root} was begun; start a new run with "
            "another --out"
        )
    table = apply_split(pictures.table, folder.split, dropped=pictures.dropped)
    if table.fingerprint() != environment["data"]["fingerprint"]:
        raise RunFolderError(
            f"{table.source} is not what the run in {folder.root} was begun with: pictures, labels or file sizes "
            "differ; start a new run with another --out"
        )
    begun = read_settings(folder.config)
    settings, _ = resolve_choices(_take_over(wanted, begun), table, runtime)
    _check_same_settings(settings, begun, folder)
    environment.setdefault("resumed", []).append(describe_environment(runtime))
    if runtime.processes.is_main:
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
    old, new = flatten_settings(begun.to_dict()), flatten_settings(wanted.to_dict())
    names = sorted(name for name in old | new if old.get(name) != new.get(name) and not _may_change(name))
    if names:
        changes = "; ".join(f"{name} was {old.get(name)} and is now {new.get(name)}" for name in names)
        raise RunFolderError(
            f"the run in {folder.root} was begun with other settings: {changes}. "
            "Resume with the same ones (or none), or start a new run with another --out"
        )


def _may_change(name: str) -> bool:
    """Tell whether a setting may be another one on resuming: nothing that is learned depends on it."""
    free = ("run.device", "run.threads", "data.workers", "data.cache", "cache.folder", "cache.limit_gigabytes")
    return name in free or name.startswith("recipe.")


def _take_over(wanted: Settings, begun: Settings) -> Settings:
    """Return the wanted settings with what the machine decided when the run was begun."""
    changes: dict[str, Any] = {}
    if wanted.training.batch_size == "auto":
        changes["batch_size"] = begun.training.batch_size
    if wanted.run.budget is not None and wanted.run.budget == begun.run.budget:
        planned = {phase.name: phase for phase in begun.training.phases}
        phases = [phase for phase in wanted.training.phases if phase.name in planned]
        changes["phases"] = tuple(_take_over_phase(phase, planned[phase.name]) for phase in phases)
        changes["max_images"] = begun.training.max_images
    taken: dict[str, Any] = {"training": wanted.training.model_copy(update=changes)}
    if wanted.model.weights == "auto" or wanted.model.candidates:
        start = {"backbone": begun.model.backbone, "weights": begun.model.weights}
        taken["model"] = wanted.model.model_copy(update=start)
    if wanted.data.fit == "auto":
        taken["data"] = wanted.data.model_copy(update={"fit": begun.data.fit})
    return wanted.model_copy(update=taken)


def _take_over_phase(wanted: PhaseSettings, planned: PhaseSettings) -> PhaseSettings:
    """Return a phase with what the budget changed, and what was chosen by pictures of which it left some out."""
    changed = {"epochs", "augment"} | {name for name, value in wanted if value == "auto"}
    return wanted.model_copy(update={name: getattr(planned, name) for name in changed})


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
    classifier = build_classifier(choose_architecture(model), len(prepared.table.class_names))
    if isinstance(size, int):
        for phase in prepared.settings.training.phases:
            classifier.backbone.check_image_size(scale_size(size, phase.image_scale))
    check_plan(prepared.settings.training.phases, classifier)
    if prepared.settings.training.sync_batchnorm:
        _synchronize_batchnorm(classifier.backbone, prepared.runtime)
    prepared.runtime.place(classifier)
    millions = classifier.count_parameters().all / 1e6
    logger.info("%s with a %s head, %.1f million parameters", model.backbone, model.head, millions)
    return classifier


def _synchronize_batchnorm(backbone: Backbone, runtime: Runtime) -> None:
    if runtime.device.type != "cuda":
        raise ConfigError(
            f"training.sync_batchnorm works on CUDA GPUs only, and the device is {runtime.device}; leave it out, or "
            "keep BatchNorm's statistics with frozen_batchnorm=true"
        )
    backbone.synchronize_batchnorm()


def agree(prepared: Prepared) -> Prepared:
    """Return what all processes of a job go on with: the settings that the first one has come to.

    Raises:
        DataError: The processes, perhaps on several machines, do not see the same pictures.
    """
    check_same_rows(prepared.table, prepared.runtime.processes)
    everyone = prepared.runtime.processes.gather((prepared.settings, prepared.environment["data"]["fingerprint"]))
    settings, fingerprint = everyone[0]
    different = [rank for rank, (_, other) in enumerate(everyone) if other != fingerprint]
    if different:
        raise DataError(
            f"{prepared.table.source}: the processes {different} see other pictures than process 0; every machine "
            "needs the same data under the same path"
        )
    return replace(prepared, settings=settings)


def build_training_data(prepared: Prepared, backbone: Backbone) -> TrainingData:
    """Decide how the pictures are read and what of them is kept."""
    settings, runtime = prepared.settings, prepared.runtime
    if settings.data.image_size == "auto" or settings.training.batch_size == "auto" or settings.data.fit == "auto":
        raise ValueError("the image size, the fit or the batch size is still auto")
    train = sample_table(prepared.table.select("train"), settings.training.max_images, seed=settings.run.seed)
    return TrainingData(
        train=train,
        validation=prepared.table.select("validation"),
        preprocess=Preprocess(settings.data.image_size, settings.data.fit, backbone.mean, backbone.std),
        batch_size=settings.training.batch_size,
        seed=settings.run.seed,
        workers=choose_workers(
            settings.data.workers, len(train), runtime.device.type, num_ranks=runtime.processes.local_count
        ),
        max_pixels=settings.data.max_pixels,
        class_balanced=settings.training.balance == "sampler",
        processes=runtime.processes,
        pin_memory=runtime.device.type == "cuda",
        picture_setting=settings.data.cache,
        picture_pixels=measure_shorter_side(train, settings.data.max_pixels) ** 2,
        cache_settings=settings.cache,
        remembered_rows=choose_remembered(train.targets(), settings.training.feature_bank, seed=settings.run.seed),
        feature_memory_bytes=int(_FEATURE_MEMORY_SHARE * (compute_free_memory_bytes() or _SUPPOSED_MEMORY_BYTES))
        // runtime.processes.local_count,
        cache=build_cache(settings.cache.folder, settings.cache.limit_gigabytes),
    )


def _resolve_runtime(settings: Settings) -> Runtime:
    run = settings.run
    runtime = resolve_runtime(
        device=run.device,
        precision=run.precision,
        threads=run.threads,
        determinism=run.determinism,
        processes=join_processes(),
    )
    if runtime.device.type == "cpu" and any(phase.train != (HEAD,) for phase in settings.training.phases):
        prefer_huge_pages()
    logger.info("%s, seed %d", runtime.describe(), run.seed)
    return runtime
