"""Trains, evaluates and saves a classifier from labelled pictures."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from discern.auditing.before_training import audit_before_training
from discern.auditing.build import Audit
from discern.config.load import load_settings
from discern.config.overrides import Overrides, list_overrides
from discern.config.settings import Settings
from discern.console import reporting
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.home import build_cache
from discern.data.prepare import PreparedPictures, prepare_pictures
from discern.data.record import describe_data
from discern.data.sources.load import Source
from discern.data.splitting.folds import Folds
from discern.data.table import ImageTable
from discern.engine.forward import check_same_rows
from discern.engine.train_step import Loss
from discern.environment import Environment, describe_machine
from discern.errors import DataError
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.backbone import describe_backbone
from discern.models.custom import Network
from discern.ownership import owning
from discern.planning.announcement import announce_time
from discern.planning.plan import Plan
from discern.planning.planner import plan_training
from discern.processes import Processes, join_processes
from discern.reports.run import Run
from discern.run_folder import RunFolder, check_new_run, check_outside_data, name_new_run
from discern.runtime import Runtime, choose_runtime, seed_everything
from discern.seconds import logging_seconds, measuring
from discern.tracking.following import check_trackers
from discern.training.custom import Custom
from discern.training.listeners import Listener, check_listeners
from discern.training.start import build_planned, load_start
from discern.workflows.carry_out import carry_out
from discern.workflows.folds import carry_out_folds, choose_folds, hold_out_fold, share_budget
from discern.workflows.job import Job, begin_run, choose_listeners
from discern.workflows.teacher import Teacher, load_teacher

logger = logging.getLogger("discern")


def train(
    source: Source,
    *,
    out: str | Path | None = None,
    recipe: str | Path = "auto",
    overrides: Overrides = (),
    network: Network | None = None,
    loss: Loss | None = None,
    metrics: Mapping[str, MetricFunction] | None = None,
    augment: Callable[[Tensor], Tensor] | str | Sequence[Mapping[str, Any]] | None = None,
    listeners: Sequence[Listener] = (),
    overwrite: bool = False,
    verbose: bool = True,
    started: float | None = None,
    **settings: Any,
) -> Run:
    """Train a classifier, evaluate it and write a run folder.

    With `folds=5`, five are trained, each without another fifth of the pictures, and used together.

    Nothing but a lock is written, and no earlier run is removed, before data, settings and weights have been checked.

    Args:
        source: A folder of class folders, a folder with train, validation and test, an archive of one, a table (CSV,
            JSON lines, .xlsx, text list, Parquet), an .npz file, a DataFrame, a pair of images uint8 (N, H, W, 3) and
            labels (N,), or a torch `Dataset` of (image, label).
        out: The run folder to write; runs/NAME by default.
        recipe: Name of a recipe, or path of a TOML file.
        overrides: Settings that override the recipe: `key=value` strings or a mapping.
        network: Your own: a module that maps images (N, 3, H, W) to logits (N, K), or a function that takes the number
            of classes and returns one; it is copied. It counts as pretrained unless `model.weights` is none.
        loss: Your own: maps logits (N, K) and targets, (N,) or after mixing (N, K), to the loss of each picture (N,) or
            to their mean. The history always has cross-entropies, so that runs can be compared.
        metrics: Your own, by name: functions that take targets (N,) and probabilities (N, K) and return a number.
        augment: Your own: a callable that maps a uint8 image (3, S, S) to another; or a policy, as in the settings.
        listeners: Your own; see `Listener`.
        overwrite: Replace a run that `out` already holds.
        verbose: Show progress on standard output. The log file is written in any case.
        started: Value of `time.monotonic()` at which the time of `run.budget` began; now by default.
        **settings: Settings that override the recipe, such as `epochs=5`, `batch_size=16` or `report=False`.

    Raises:
        RunFolderError: `out` holds a run, or belongs to another process.
        DiscernError: Any subclass; the message says what was given, what was expected and what to do next.
    """
    started = time.monotonic() if started is None else started
    if augment is not None and not callable(augment):
        settings["augment"] = augment
    custom = Custom(network, loss, metrics or {}, augment if callable(augment) else None)
    check_listeners(listeners)
    processes = join_processes()
    with reporting(verbose=verbose) as messages, logging_seconds(started):
        asked = load_settings(recipe, list_overrides(overrides, settings))
        if network is None:
            _check_backbones(asked)
        if processes.is_main:
            check_trackers(asked.training.trackers)
        runtime = _choose_runtime(asked, processes)
        folder = RunFolder(processes.gather(name_new_run(source) if out is None else Path(out))[0])
        check_outside_data(folder, source)
        owned = owning(folder.root, "discern train") if processes.is_main else nullcontext()
        with runtime.applied(), owned:
            with processes.main_first():
                if processes.is_main:
                    check_new_run(folder, overwrite=overwrite)
                found = _prepare(source, asked, folder, runtime)
                with measuring("planning"):
                    plan = _plan(asked, found, runtime, custom, started) if processes.is_main else None
            pictures, table = found.pictures, found.pictures.table
            plan = _share(plan, table, runtime)
            with processes.main_first():
                seed_everything(plan.seed)
                with measuring("network and weights"):
                    classifier = build_planned(plan, len(table.class_names), runtime, network)
                if messages.are_shown:
                    with measuring("time forecast"):
                        announce_time(plan, classifier, found.first_table, runtime)
                with measuring("network and weights"):
                    weights = load_start(plan, classifier, table.class_names)
                environment = Environment(
                    **describe_machine(runtime).model_dump(),
                    data=describe_data(source, pictures, asked.data.image_root),
                    weights=weights,
                )
                job = Job(plan, table, environment, folder, runtime, custom, started, found.teacher)
                if processes.is_main:
                    begin_run(job, asked, audit=found.audit, leaks=pictures.leaks, folds=found.folds)
                    messages.open_log(folder.log)
            if found.folds is not None:
                return carry_out_folds(job, found.folds, asked, listeners, messages)
            return carry_out(job, classifier, None, [*listeners, *choose_listeners(job, messages)])


def _check_backbones(asked: Settings) -> None:
    """Refuse the name of a backbone that does not exist before any picture is read: reading may take minutes."""
    for name in (asked.model.backbone, *(candidate.backbone for candidate in asked.model.candidates)):
        if name != "auto":
            describe_backbone(name)


def _choose_runtime(asked: Settings, processes: Processes) -> Runtime:
    return choose_runtime(
        device=asked.run.device,
        precision=asked.run.precision,
        threads=asked.run.threads,
        determinism=asked.run.determinism,
        acceleration=asked.run.acceleration,
        processes=processes,
    )


class _Prepared(NamedTuple):
    """What training needs besides a plan: checked pictures, what is known of them, and what is learnt beside them.

    `first_table` are the pictures of the first training: all, or those without the first fold.
    """

    pictures: PreparedPictures
    audit: Audit | None
    folds: Folds | None
    teacher: Teacher | None
    first_table: ImageTable
    cache: ArrayCache


def _prepare(source: Source, asked: Settings, folder: RunFolder, runtime: Runtime) -> _Prepared:
    """Check and split the pictures, audit them, divide them into folds, and load the teacher, as is asked for."""
    cache = build_cache(asked.cache.folder, asked.cache.limit_gigabytes)
    with measuring("checking pictures"):
        pictures = prepare_pictures(
            source,
            asked.data,
            seed=asked.run.seed,
            cache=cache,
            bad_files=folder.bad_files if runtime.processes.is_main else None,
            in_folds=asked.run.folds is not None,
        )
    table = pictures.table
    with measuring("audit"):
        audit = audit_before_training(pictures, asked, runtime, cache)
    folds = choose_folds(table, asked)
    teacher = _load_teacher(asked, table, runtime, cache)
    first_table = table if folds is None else hold_out_fold(table, folds, 1, asked)
    return _Prepared(pictures, audit, folds, teacher, first_table, cache)


def _load_teacher(asked: Settings, table: ImageTable, runtime: Runtime, cache: ArrayCache) -> Teacher | None:
    root = asked.training.teacher
    if root is None:
        return None
    with measuring("teacher"):
        return load_teacher(root, table, runtime, cache)


def _plan(asked: Settings, found: _Prepared, runtime: Runtime, custom: Custom, started: float) -> Plan:
    logger.info("%s, seed %d", runtime.describe(), asked.run.seed)
    logger.info("recipe %s: %s", asked.recipe.name, asked.recipe.purpose)
    share, share_started = share_budget(asked, started)
    return plan_training(
        share,
        found.first_table,
        runtime,
        found.cache,
        network=custom.network,
        custom=custom.describe(),
        teacher=None if found.teacher is None else found.teacher.plan(asked.training.teacher_weight),
        started=share_started,
    )


def _share(plan: Plan | None, table: ImageTable, runtime: Runtime) -> Plan:
    """Return the plan of the first process, in all processes.

    Raises:
        DataError: The processes, perhaps on several machines, have different pictures.
    """
    check_same_rows(table, runtime.processes)
    values = runtime.processes.gather((plan, table.fingerprint()))
    shared, fingerprint = values[0]
    different = [rank for rank, (_, other) in enumerate(values) if other != fingerprint]
    if different or shared is None:
        raise DataError(
            f"{table.source}: processes {different} have other pictures than process 0; every machine "
            "needs the same data under the same path"
        )
    return shared
