"""Trains in folds: one member for each, without its pictures, and an ensemble of all to use."""

import logging
import time
from collections.abc import Sequence

import numpy as np
import torch

from discern.config.duration import parse_duration
from discern.config.settings import Settings
from discern.console import MessageLog
from discern.data.cache.home import build_cache
from discern.data.splitting.folds import NO_FOLD, Folds, divide_into_folds, hold_out
from discern.data.table import ImageTable
from discern.errors import ConfigError
from discern.evaluation.metrics import compute_metrics
from discern.evaluation.predictions import OUT_OF_FOLD, Predictions, build_table_predictions, join_predictions
from discern.files import write_table
from discern.ownership import check_owned
from discern.percent import percent
from discern.planning.plan import Plan
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import Bundle, load_bundle
from discern.predictor.calibration import compute_probabilities
from discern.predictor.predictor import Predictor
from discern.predictor.record import FoldRecord, tabulate_folds
from discern.reports.run import Run
from discern.runtime import seed_everything
from discern.seconds import measuring
from discern.tracking.following import build_trackers
from discern.training.ensembling import HeldOut, build_ensemble_bundle
from discern.training.listeners import Listener, OwnerWatch, calling_listeners
from discern.training.start import build_planned, load_start
from discern.training.state_loading import has_state, load_state
from discern.workflows.carry_out import carry_out
from discern.workflows.finish import complete, predict_test, save_evaluated
from discern.workflows.job import Job, begin_run, choose_listeners, naming_resumption

logger = logging.getLogger("discern")

_ENSEMBLE_SHARE = 0.05
"""Of the time budget, for the ensemble and its evaluation."""


def choose_folds(table: ImageTable, asked: Settings) -> Folds | None:
    """Return the fold of each picture; None where no folds are asked for.

    Raises:
        ConfigError: Nothing is trained, so that all members would be the same; the ensemble is to be calibrated over
            views of test-time augmentation, of which each member would choose its own; or there is a teacher.
        DataError: A class has too few pictures.
    """
    if asked.run.folds is None:
        return None
    if not asked.training.phases:
        raise ConfigError(
            f"the recipe {asked.recipe.name} trains nothing, so that all folds would give the same; leave folds out"
        )
    if asked.training.tta != "none":
        raise ConfigError(
            f"training.tta={asked.training.tta} cannot be combined with folds; leave it out, and let predict --tta "
            "average the views of the ensemble"
        )
    if asked.training.teacher is not None:
        raise ConfigError(
            "training.teacher cannot be combined with folds: the teacher may have learnt from the pictures of each "
            "fold, which are to show how good a member is; leave folds out"
        )
    folds = divide_into_folds(table, asked.run.folds, seed=asked.run.seed)
    sizes = np.bincount(folds[folds != NO_FOLD])[1:]
    logger.info(
        "%d folds of %d to %d pictures; each network learns without one of them, and what follows is planned once for "
        "all",
        *(len(sizes), sizes.min(), sizes.max()),
    )
    return folds


def hold_out_fold(table: ImageTable, folds: Folds, number: int, asked: Settings) -> ImageTable:
    """Return the pictures of all folds, with those of one fold as test."""
    return hold_out(table, folds, number, fractions=asked.data.split, seed=asked.run.seed)


def share_budget(asked: Settings, started: float) -> tuple[Settings, float]:
    """Return settings whose budget is that of one member, and the time at which it begins; without folds the same."""
    if asked.run.folds is None or asked.run.budget is None:
        return asked, started
    now = time.monotonic()
    left = parse_duration(asked.run.budget) * (1 - _ENSEMBLE_SHARE) - (now - started)
    return _change_run(asked, budget=f"{max(1.0, left / asked.run.folds):.1f}s"), now


def carry_out_folds(
    job: Job, folds: Folds, asked: Settings, listeners: Sequence[Listener], messages: MessageLog
) -> Run:
    """Train the members that are not trained yet, and write the ensemble with its results."""
    pool, folds = job.table.select("train"), folds[folds != NO_FOLD]
    numbers = range(1, int(folds.max()) + 1)
    of_whole = [*listeners, *build_trackers(job.plan.training.trackers)] if job.runtime.processes.is_main else []
    with calling_listeners(of_whole, job.folder):
        for number in numbers:
            _train_member(job, number, pool, folds, asked, [*listeners, OwnerWatch(job.folder.root)], messages)
        members = [load_bundle(job.folder.fold(number).bundle, job.custom.network) for number in numbers]
        with naming_resumption(job):
            _write_ensemble(job, members, pool, folds)
    # No process ends before the files are written.
    job.runtime.processes.gather(None)
    return Run(job.folder.root)


def _write_ensemble(job: Job, members: Sequence[Bundle], pool: ImageTable, folds: Folds) -> None:
    """Evaluate the members on their folds, make an ensemble of them, and write it with all results."""
    cache = build_cache(job.plan.reading.folder, job.plan.reading.limit_gigabytes)
    with measuring("held-out folds"):
        held_out = _predict_held_out(members, pool, folds, job)
    with measuring("calibration and feature bank"):
        bundle = build_ensemble_bundle(members, job.plan, pool, held_out, job.runtime, cache)
    predictions, reported = _build_out_of_fold(bundle, pool, held_out), pool
    records = _record_folds(members, predictions, folds)
    test = job.table.select("test")
    of_test = predict_test(job, bundle, test)
    if of_test is not None:
        predictions, reported = join_predictions([predictions, of_test]), test
    if job.runtime.processes.is_main:
        check_owned(job.folder.root)
        job.folder.evaluation.mkdir(exist_ok=True)
        write_table(tabulate_folds(records), job.folder.evaluation / "folds.csv")
        recorded = save_evaluated(job, bundle, predictions, reported, best_epoch=0, folds=records)
        complete(job, recorded, reported)


def _train_member(
    job: Job,
    number: int,
    pool: ImageTable,
    folds: Folds,
    asked: Settings,
    listeners: Sequence[Listener],
    messages: MessageLog,
) -> None:
    """Train the member of a fold, from the beginning or from its state, unless that is done."""
    folder, processes = job.folder.fold(number), job.runtime.processes
    count = int(folds.max())
    if processes.gather(folder.is_complete())[0]:
        logger.info("fold %d of %d is trained already", number, count)
        return
    logger.info("fold %d of %d", number, count)
    table = hold_out_fold(pool, folds, number, asked)
    data = job.environment.data.model_copy(update={"fingerprint": table.fingerprint()})
    member = Job(
        plan=_plan_member(job.plan),
        table=table,
        environment=job.environment.model_copy(update={"data": data}),
        folder=folder,
        runtime=job.runtime,
        custom=job.custom,
        started=time.monotonic(),
        whole=job.folder,
        pool=pool,
    )
    with processes.main_first():
        seed_everything(member.plan.seed)
        with measuring("network and weights"):
            classifier = build_planned(member.plan, len(table.class_names), job.runtime, job.custom.network)
        state = None
        if has_state(folder.state):
            state = load_state(folder.state)
            state.check_processes(processes.count)
            logger.info("resumed after epoch %d", len(state.progress.rows))
        else:
            with measuring("network and weights"):
                load_start(member.plan, classifier, table.class_names)
            if processes.is_main:
                begin_run(member, _describe_member(asked, member.plan))
    carry_out(member, classifier, state, [*listeners, *choose_listeners(member, messages)])


def _plan_member(plan: Plan) -> Plan:
    """Return the plan of each member; its fold is the test split of its run."""
    return plan.model_copy(update={"folds": None, "draws_plots": False, "writes_report": False, "evaluates_test": True})


def _describe_member(asked: Settings, plan: Plan) -> Settings:
    """Return the settings that a member's run has, as if it had been asked for alone."""
    budget = None if plan.budget is None else f"{plan.budget.seconds:g}s"
    return _change_run(asked, folds=None, plots=False, report=False, evaluate_test=True, budget=budget)


def _change_run(asked: Settings, **values: object) -> Settings:
    return asked.model_copy(update={"run": asked.run.model_copy(update=values)})


def _predict_held_out(members: Sequence[Bundle], pool: ImageTable, folds: Folds, job: Job) -> HeldOut:
    """Let each member answer the pictures of its fold."""
    logits = torch.zeros(len(pool), len(pool.class_names), dtype=torch.float64)
    similarities = np.zeros(len(pool))
    for number, member in enumerate(members, start=1):
        rows = np.flatnonzero(folds == number)
        found, features = Predictor(member, job.runtime).predict_features(pool.take(rows))
        logits[rows] = found.double().log_softmax(dim=1)
        if member.feature_bank is not None:
            similarities[rows] = member.feature_bank.measure_similarity(features)
    has_bank = all(member.feature_bank is not None for member in members)
    return HeldOut(logits, similarities if has_bank else None)


def _build_out_of_fold(bundle: Bundle, pool: ImageTable, held_out: HeldOut) -> Predictions:
    """Return what members answered to the pictures of their folds, calibrated as they are in the ensemble."""
    calibration = bundle.calibration.model_copy(update={"is_inside": False})
    familiarity = build_policy(AnswerForm(), bundle).measure_familiarity(held_out.similarities)
    return build_table_predictions(pool, compute_probabilities(held_out.logits, calibration), OUT_OF_FOLD, familiarity)


def _record_folds(members: Sequence[Bundle], out_of_fold: Predictions, folds: Folds) -> list[FoldRecord]:
    """Return what each member learnt from, and its scores on the pictures of its fold."""
    records = []
    for number, member in enumerate(members, start=1):
        found = out_of_fold.take(np.flatnonzero(folds == number))
        metrics = compute_metrics(found.targets, found.probabilities, found.class_names)
        record = member.record
        records.append(
            FoldRecord(
                train=0 if record is None else record.counts["train"],
                validation=0 if record is None else record.counts["validation"],
                held_out=len(found),
                accuracy=metrics.accuracy,
                macro_f1=metrics.macro_f1,
                loss=metrics.loss,
                best_epoch=0 if record is None else record.best_epoch,
                outcome=None if record is None else record.outcome,
            )
        )
    accuracies = [record.accuracy.value for record in records]
    logger.info(
        "accuracy of single members: %s on average, from %s to %s, standard deviation %.1f points",
        *(percent(value) for value in (float(np.mean(accuracies)), min(accuracies), max(accuracies))),
        100 * np.std(accuracies, ddof=1),
    )
    return records
