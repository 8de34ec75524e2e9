"""Trains, evaluates and saves a classifier from labelled pictures."""

import hashlib
import logging
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from discern.auditing.before_training import audit_before_training
from discern.auditing.build import Audit
from discern.config.load import load_settings, write_settings
from discern.config.overrides import Overrides, list_overrides
from discern.config.settings import Settings
from discern.console import MessageLog, reporting
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.home import build_cache
from discern.data.prepare import PreparedPictures, prepare_pictures
from discern.data.record import describe_data
from discern.data.sources.load import Source
from discern.data.splitting.split import save_split
from discern.data.table import SPLITS, ImageTable
from discern.engine.forward import check_same_rows
from discern.engine.train_step import Loss
from discern.environment import Environment, describe_machine, save_environment
from discern.errors import BadImageError, DataError, WriteError
from discern.evaluation.abstention import measure_abstention
from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.predictions import Predictions, build_table_predictions, join_predictions
from discern.files import compute_sha256, write_atomically, write_json
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.ownership import check_owned, owning
from discern.planning.announcement import announce_time
from discern.planning.plan import Plan, save_plan
from discern.planning.planner import plan_training
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import Bundle, save_bundle
from discern.predictor.calibration import compute_probabilities
from discern.predictor.predictor import Predictor
from discern.predictor.record import TrainingRecord
from discern.processes import Processes, join_processes
from discern.reports.evaluation_files import write_evaluation
from discern.reports.leak_scores import write_scores_without_leaks
from discern.reports.run import Run
from discern.reports.run_report import try_write_report
from discern.reports.training_plots import draw_training
from discern.run_folder import RunFolder, check_new_run, check_outside_data, name_new_run
from discern.runtime import Runtime, choose_runtime, seed_everything
from discern.training.batches import TrainingData, build_training_data
from discern.training.bundling import build_bundle
from discern.training.custom import Custom
from discern.training.deadline import Deadline
from discern.training.exact_validation import make_validation_exact
from discern.training.fit import Fit, FitResult
from discern.training.history import build_history
from discern.training.listeners import HistoryFile, Listener, LogLines, OverfittingWatch, OwnerWatch, TensorBoard
from discern.training.outcome import describe_outcome
from discern.training.progress import build_progress
from discern.training.start import build_planned, load_start
from discern.training.state import TrainingState
from discern.training.tta import ViewedValidation, choose_tta

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

    Nothing but a lock is written, and no earlier run is removed, before data, settings and weights have been checked.

    Args:
        source: A folder of class folders, a folder with train, validation and test, a CSV, an .npz file, a DataFrame,
            a pair of images uint8 (N, H, W, 3) and labels (N,), or a torch `Dataset` of (image, label).
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
    processes = join_processes()
    with reporting(verbose=verbose) as messages:
        asked = load_settings(recipe, list_overrides(overrides, settings))
        runtime = _choose_runtime(asked, processes)
        folder = RunFolder(processes.gather(name_new_run(source) if out is None else Path(out))[0])
        check_outside_data(folder, source)
        owned = owning(folder.root, "discern train") if processes.is_main else nullcontext()
        with runtime.applied(), owned:
            with processes.main_first():
                if processes.is_main:
                    check_new_run(folder, overwrite=overwrite)
                cache = build_cache(asked.cache.folder, asked.cache.limit_gigabytes)
                bad_files = folder.bad_files if processes.is_main else None
                pictures = prepare_pictures(source, asked.data, seed=asked.run.seed, cache=cache, bad_files=bad_files)
                audit = audit_before_training(pictures, asked, runtime, cache)
                plan = _plan(asked, pictures.table, runtime, cache, custom, started) if processes.is_main else None
            plan = _share(plan, pictures.table, runtime)
            with processes.main_first():
                seed_everything(plan.seed)
                classifier = build_planned(plan, len(pictures.table.class_names), runtime, network)
                if messages.are_shown:
                    announce_time(plan, classifier, pictures.table, runtime)
                weights = load_start(plan, classifier, pictures.table.class_names)
                environment = Environment(
                    **describe_machine(runtime).model_dump(),
                    data=describe_data(source, pictures, asked.data.image_root),
                    weights=weights,
                )
                job = Job(plan, pictures.table, environment, folder, runtime, custom, started)
                if processes.is_main:
                    _begin_run(job, asked, pictures, audit)
                    messages.open_log(folder.log)
            return carry_out(job, classifier, None, [*listeners, *choose_listeners(job, messages)])


@dataclass(frozen=True)
class Job:
    """A training that is ready to begin; `started` is the value of `time.monotonic()` at which its budget began."""

    plan: Plan
    table: ImageTable
    environment: Environment
    folder: RunFolder
    runtime: Runtime
    custom: Custom
    started: float


def carry_out(job: Job, classifier: Classifier, state: TrainingState | None, listeners: Sequence[Listener]) -> Run:
    """Train from the beginning or from a state, and write the results."""
    plan, processes = job.plan, job.runtime.processes
    # From now on each process draws its own random numbers, for dropout and mixing.
    seed_everything((plan.seed + processes.rank) % 2**32)
    data = build_training_data(plan, job.table, job.runtime, job.custom.augment)
    fit = Fit(
        classifier,
        plan.phases,
        plan.training,
        data,
        job.runtime,
        loss=job.custom.loss,
        metrics=job.custom.metrics,
        state_folder=job.folder.state,
        listeners=listeners if processes.is_main else (),
        deadline=_build_deadline(job),
    )
    try:
        result = make_validation_exact(_fit(fit, state, job.folder), classifier, data, job.runtime)
        viewed = choose_tta(result.validation_logits, classifier, plan.training.tta_candidates, data, job.runtime)
        bundle = build_bundle(classifier, plan, data, result, viewed, job.runtime)
        predictions, reported = _predict_splits(job, bundle, data, viewed)
        if processes.is_main:
            check_owned(job.folder.root)
            _write_results(job, bundle, data, result, predictions, reported)
    except WriteError as error:
        if not job.folder.holds_run():
            raise
        raise error.followed_by(f"go on with: {_name_resuming(job.folder)}") from error
    # No process ends before the files are written.
    processes.gather(None)
    return Run(job.folder.root)


def choose_listeners(job: Job, messages: MessageLog) -> list[Listener]:
    """Return the listeners that write the history and the log, and show the progress."""
    folder = job.folder
    listeners: list[Listener] = [
        OwnerWatch(folder.root),
        HistoryFile(folder.history),
        LogLines(job.plan.phases, level=logging.INFO if messages.notebook is None else logging.DEBUG),
        OverfittingWatch(),
    ]
    if job.plan.training.tensorboard:
        listeners.append(TensorBoard(folder.tensorboard))
    return [*listeners, *build_progress(messages, job.plan.phases)]


def _choose_runtime(asked: Settings, processes: Processes) -> Runtime:
    return choose_runtime(
        device=asked.run.device,
        precision=asked.run.precision,
        threads=asked.run.threads,
        determinism=asked.run.determinism,
        acceleration=asked.run.acceleration,
        processes=processes,
    )


def _plan(
    asked: Settings, table: ImageTable, runtime: Runtime, cache: ArrayCache, custom: Custom, started: float
) -> Plan:
    logger.info("%s, seed %d", runtime.describe(), asked.run.seed)
    logger.info("recipe %s: %s", asked.recipe.name, asked.recipe.purpose)
    return plan_training(
        asked,
        table,
        runtime,
        cache,
        network=custom.network,
        custom=custom.describe(),
        started=started,
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


def _begin_run(job: Job, asked: Settings, pictures: PreparedPictures, audit: Audit | None) -> None:
    """Create the folder of a new run, replacing an earlier run in it, and write what is known before training."""
    folder = job.folder
    folder.begin_run()
    save_environment(job.environment, folder.environment)
    save_split(job.table, folder.split, root=job.environment.data.root)
    if audit is not None:
        write_json(folder.audit, audit.content)
    if pictures.leaks is not None:
        write_atomically(folder.leaks, pictures.leaks.to_csv(index=False))
    settings = write_settings(asked).encode()
    sealed = {
        folder.split.name: compute_sha256(folder.split),
        folder.config.name: hashlib.sha256(settings).hexdigest(),
    }
    save_plan(job.plan, folder.plan, sealed=sealed)
    write_atomically(folder.config, settings)


def _build_deadline(job: Job) -> Deadline | None:
    budget = job.plan.budget
    return None if budget is None else Deadline(budget.seconds, budget.reserve_seconds, job.started)


def _fit(fit: Fit, state: TrainingState | None, folder: RunFolder) -> FitResult:
    try:
        return fit.run(state)
    except (KeyboardInterrupt, SystemExit):
        command = _name_resuming(folder)
        logger.warning("stopped; %d epochs are complete and saved. Resume with: %s", fit.saved_epochs, command)
        raise
    except BadImageError as error:
        raise DataError(
            f"{error}. It was found during training; data.verify=full finds all such files before training, and "
            "data.on_bad=skip leaves them out"
        ) from None


def _name_resuming(folder: RunFolder) -> str:
    return f"discern train --resume --out {shlex.quote(str(folder.root))}"


def _predict_splits(
    job: Job, bundle: Bundle, data: TrainingData, viewed: ViewedValidation
) -> tuple[Predictions, ImageTable]:
    """Return the predictions of validation, from the best epoch, and of test, computed only now.

    The second value is the pictures of the reported split: test if it is evaluated, otherwise validation.
    """
    parts, reported = [], data.validation
    policy = build_policy(AnswerForm(), bundle)
    if viewed.logits is not None:
        probabilities = compute_probabilities(viewed.logits, bundle.calibration)
        familiarity = policy.measure_familiarity(None if bundle.evidence is None else bundle.evidence.similarities)
        parts.append(build_table_predictions(data.validation, probabilities, "validation", familiarity))
    test = job.table.select("test")
    if len(test) and job.plan.evaluates_test:
        reported = test
        predictor = Predictor(bundle, job.runtime)
        probabilities, similarities = predictor.answer(test, similarity=policy.knows_familiarity)
        parts.append(build_table_predictions(test, probabilities, "test", policy.measure_familiarity(similarities)))
    if len(test) and not job.plan.evaluates_test:
        logger.info("the test split is left for later (run.evaluate_test=false)")
    elif not parts:
        logger.warning("there is neither a validation nor a test split: nothing is evaluated")
    elif not len(test) and job.plan.phases:
        logger.warning(
            "there is no test split: the model was chosen by its validation scores, which are therefore too high"
        )
    if not parts:
        parts.append(build_table_predictions(data.validation, np.empty((0, data.num_classes)), "validation"))
    return join_predictions(parts), reported


def _write_results(
    job: Job,
    bundle: Bundle,
    data: TrainingData,
    result: FitResult,
    predictions: Predictions,
    reported: ImageTable,
) -> None:
    """Write evaluation, bundle, plots and report, and remove the state last: a run killed before can be resumed."""
    folder, plan = job.folder, job.plan
    outcome = describe_outcome(result, data.validation.targets(), plan.training.monitor)
    logger.info("kept: %s", outcome or f"epoch {result.best.epoch} of {len(result.rows)}")
    metrics = write_evaluation(
        predictions,
        reported,
        folder.evaluation,
        folder.plots,
        plots=plan.draws_plots,
        custom=job.custom.metrics,
        max_pixels=bundle.max_pixels,
    )
    write_scores_without_leaks(predictions, folder.leaks, folder.evaluation / "metrics_without_leaks.json")
    record = TrainingRecord(
        plan=plan,
        environment=job.environment,
        counts={split: len(job.table.select(split)) for split in SPLITS},
        best_epoch=result.best.epoch,
        scores=metrics,
        abstention=measure_abstention(bundle.evidence, predictions),
        outcome=outcome,
    )
    bundle = replace(bundle, record=record)
    save_bundle(bundle, folder.bundle)
    if plan.draws_plots and plan.phases:
        draw_training(
            plan,
            build_history(result.rows),
            folder.plots,
            best_epoch=result.best.epoch if result.best.has_validation else None,
            steps_per_epoch=-(-len(data.train) // data.batch_size),
        )
    if plan.writes_report:
        try_write_report(folder, reported, Predictor(bundle, job.runtime))
    folder.complete_run()
    logger.info("the run is complete: %s", folder.root)
