"""A training that is ready to begin, and everything from its first epoch to its files."""

import hashlib
import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from discern.auditing.build import Audit
from discern.config.load import write_settings
from discern.config.settings import Settings
from discern.console import MessageLog
from discern.counts import count_of, is_are
from discern.data.splitting.folds import Folds, save_folds
from discern.data.splitting.split import save_split
from discern.data.table import SPLITS, ImageTable
from discern.environment import Environment, save_environment
from discern.errors import BadImageError, DataError, Option, WriteError, write_python
from discern.evaluation.abstention import measure_abstention
from discern.evaluation.comparison import Comparison
from discern.evaluation.predictions import Predictions, build_table_predictions, join_predictions
from discern.files import compute_sha256, write_atomically, write_json
from discern.models.classifier import Classifier
from discern.ownership import check_owned
from discern.planning.plan import Plan, save_plan
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import Bundle, save_bundle
from discern.predictor.calibration import compute_probabilities
from discern.predictor.predictor import Predictor
from discern.predictor.record import FoldRecord, TrainingRecord
from discern.reports.bundle_card import write_bundle_card
from discern.reports.evaluation_files import write_evaluation
from discern.reports.leak_scores import write_scores_without_leaks
from discern.reports.run import Run
from discern.reports.run_report import try_write_report
from discern.reports.training_plots import draw_training
from discern.run_folder import RunFolder
from discern.runtime import Runtime, seed_everything
from discern.seconds import measuring
from discern.tracking.following import build_trackers
from discern.training.batches import TrainingData, build_training_data
from discern.training.bundling import build_bundle
from discern.training.custom import Custom
from discern.training.deadline import Deadline
from discern.training.exact_validation import make_validation_exact
from discern.training.fit import Fit, FitResult
from discern.training.history import build_history
from discern.training.listeners import (
    HistoryFile,
    Listener,
    LogLines,
    OverfittingWatch,
    OwnerWatch,
    calling_listeners,
)
from discern.training.outcome import describe_outcome
from discern.training.progress import build_progress
from discern.training.progress_file import FinishRequest, ProgressFile
from discern.training.state import TrainingState
from discern.training.tta import ViewedValidation, choose_tta
from discern.workflows.teacher import Teacher, compare_with_teacher

logger = logging.getLogger("discern")


@dataclass(frozen=True)
class Job:
    """A training that is ready to begin.

    `started` is the value of `time.monotonic()` at which its budget began; `teacher` is what it learns from beside the
    labels. Of a member of an ensemble, `whole` is the run in folds that it is a part of, and `pool` the pictures of all
    folds.
    """

    plan: Plan
    table: ImageTable
    environment: Environment
    folder: RunFolder
    runtime: Runtime
    custom: Custom
    started: float
    teacher: Teacher | None = None
    whole: RunFolder | None = None
    pool: ImageTable | None = None

    def name_resuming(self) -> Option:
        """Return what goes on with it, as the caller writes it."""
        root = str((self.whole or self.folder).root)
        return Option(f"discern train --resume --out {shlex.quote(root)}", f"discern.resume({write_python(root)})")


def begin_run(
    job: Job,
    asked: Settings,
    *,
    audit: Audit | None = None,
    leaks: pd.DataFrame | None = None,
    folds: Folds | None = None,
) -> None:
    """Create the folder of a new run, replacing an earlier run in it, and write what is known before training."""
    folder = job.folder
    folder.begin_run()
    save_environment(job.environment, folder.environment)
    save_split(job.table, folder.split, root=job.environment.data.root)
    if audit is not None:
        write_json(folder.audit, audit.content)
    if leaks is not None:
        write_atomically(folder.leaks, leaks.to_csv(index=False))
    settings = write_settings(asked).encode()
    sealed = {
        folder.split.name: compute_sha256(folder.split),
        folder.config.name: hashlib.sha256(settings).hexdigest(),
    }
    if folds is not None:
        save_folds(job.table, folds, folder.folds)
        sealed[folder.folds.name] = compute_sha256(folder.folds)
    save_plan(job.plan, folder.plan, sealed=sealed)
    write_atomically(folder.config, settings)


def carry_out(job: Job, classifier: Classifier, state: TrainingState | None, listeners: Sequence[Listener]) -> Run:
    """Train from the beginning or from a state, and write the results."""
    plan, processes = job.plan, job.runtime.processes
    listeners = listeners if processes.is_main else ()
    # From now on each process draws its own random numbers, for dropout and mixing.
    seed_everything((plan.seed + processes.rank) % 2**32)
    answer = None if job.teacher is None else job.teacher.answer
    with measuring("teacher"):
        data = build_training_data(plan, job.table, job.runtime, job.custom.augment, job.pool, answer)
    fit = Fit(
        classifier,
        plan.phases,
        plan.training,
        data,
        job.runtime,
        loss=job.custom.loss,
        metrics=job.custom.metrics,
        state_folder=job.folder.state,
        listeners=listeners,
        deadline=_build_deadline(job),
    )
    with calling_listeners(listeners, job.folder), naming_resumption(job):
        with measuring("preparing phases"):
            result = _fit(fit, state, job)
        with measuring("exact validation"):
            result = make_validation_exact(result, classifier, data, job.runtime)
        with measuring("test-time augmentation"):
            viewed = choose_tta(result.validation_logits, classifier, plan.training.tta_candidates, data, job.runtime)
        with measuring("calibration and feature bank"):
            bundle = build_bundle(classifier, plan, data, result, viewed, job.runtime)
        predictions, reported = _predict_splits(job, bundle, data, viewed)
        comparison = _compare_with_teacher(job, predictions, reported)
        if processes.is_main:
            check_owned(job.folder.root)
            _write_results(job, bundle, data, result, predictions, reported, comparison)
    # No process ends before the files are written.
    processes.gather(None)
    return Run(job.folder.root)


@contextmanager
def naming_resumption(job: Job) -> Iterator[None]:
    """Add to the error of a disk that is full, say, the command that goes on with the run, if it has begun."""
    try:
        yield
    except WriteError as error:
        if not job.folder.holds_run():
            raise
        way = job.name_resuming()
        raise error.followed_by(Option(f"go on with: {way.command}", f"go on with: {way.python}")) from error


def choose_listeners(job: Job, messages: MessageLog, *, spent_seconds: float = 0.0) -> list[Listener]:
    """Return the listeners that write the history and the log, and show the progress.

    `spent_seconds` are those of a run that is resumed.
    """
    folder, whole, budget = job.folder, job.whole or job.folder, job.plan.budget
    ends = None if budget is None else job.started + budget.seconds - spent_seconds
    fold = None if job.whole is None else int(folder.root.name)
    listeners: list[Listener] = [
        OwnerWatch(folder.root),
        *build_trackers(job.plan.training.trackers),  # before the history, which says to a resumed run what they have
        HistoryFile(folder.history),
        LogLines(job.plan.phases, level=logging.INFO if messages.notebook is None else logging.DEBUG),
        OverfittingWatch(),
        ProgressFile(whole.progress, job.plan.phases, ends=ends, fold=fold),
        FinishRequest(whole.finish_request),
    ]
    return [*listeners, *build_progress(messages, job.plan.phases)]


def _build_deadline(job: Job) -> Deadline | None:
    budget = job.plan.budget
    return None if budget is None else Deadline(budget.seconds, budget.reserve_seconds, job.started)


def _fit(fit: Fit, state: TrainingState | None, job: Job) -> FitResult:
    try:
        return fit.run(state)
    except (KeyboardInterrupt, SystemExit):
        saved = f"{count_of(fit.saved_epochs, 'epoch')} {is_are(fit.saved_epochs)}"
        logger.warning("stopped; %s complete and saved. Resume with: %s", saved, job.name_resuming())
        raise
    except BadImageError as error:
        raise DataError(
            f"{error}. It was found during training; data.verify=full finds all such files before training, and "
            "data.on_bad=skip leaves them out"
        ) from None


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
    found = predict_test(job, bundle, test)
    if found is not None:
        reported = test
        parts.append(found)
    if not len(test) and not parts:
        logger.warning("there is neither a validation nor a test split: nothing is evaluated")
    elif not len(test) and job.plan.phases:
        logger.warning(
            "there is no test split: the model was chosen by its validation scores, which are therefore too high"
        )
    if not parts:
        parts.append(build_table_predictions(data.validation, np.empty((0, data.num_classes)), "validation"))
    return join_predictions(parts), reported


def predict_test(job: Job, bundle: Bundle, test: ImageTable) -> Predictions | None:
    """Return the predictions of the test split; None where there is none, or it is left for later."""
    if not len(test):
        return None
    if not job.plan.evaluates_test:
        logger.info("the test split is left for later (run.evaluate_test=false)")
        return None
    policy, predictor = build_policy(AnswerForm(), bundle), Predictor(bundle, job.runtime)
    with measuring("test"):
        probabilities, similarities = predictor.answer(test, similarity=policy.knows_familiarity)
    return build_table_predictions(test, probabilities, "test", policy.measure_familiarity(similarities))


def _compare_with_teacher(job: Job, predictions: Predictions, reported: ImageTable) -> Comparison | None:
    """Return how the classifier does beside its teacher on the reported pictures; all processes must call this."""
    if job.teacher is None or not len(reported):
        return None
    split = predictions.splits[-1]
    with measuring("teacher"):
        return compare_with_teacher(predictions.select(split), job.teacher.predict(reported, split))


def _write_results(
    job: Job,
    bundle: Bundle,
    data: TrainingData,
    result: FitResult,
    predictions: Predictions,
    reported: ImageTable,
    comparison: Comparison | None,
) -> None:
    """Write evaluation, bundle, plots and report, and remove the state last: a run killed before can be resumed."""
    folder, plan = job.folder, job.plan
    outcome = describe_outcome(result, data.validation.targets(), plan.training)
    logger.info("kept: %s", outcome or f"epoch {result.best.epoch} of {len(result.rows)}")
    bundle = save_evaluated(
        job, bundle, predictions, reported, best_epoch=result.best.epoch, outcome=outcome, teacher=comparison
    )
    if plan.draws_plots and plan.phases:
        with measuring("plots"):
            draw_training(
                plan,
                build_history(result.rows),
                folder.plots,
                best_epoch=result.best.epoch if result.best.has_validation else None,
                steps_per_epoch=-(-len(data.train) // data.batch_size),
            )
    complete(job, bundle, reported)


def save_evaluated(
    job: Job,
    bundle: Bundle,
    predictions: Predictions,
    reported: ImageTable,
    *,
    best_epoch: int,
    outcome: str | None = None,
    folds: Sequence[FoldRecord] = (),
    teacher: Comparison | None = None,
) -> Bundle:
    """Write the evaluation, and the bundle with the record of its training, which is returned.

    Args:
        job: The training.
        bundle: What came of it.
        predictions: Of all splits that are evaluated.
        reported: The pictures of the last of them.
        best_epoch: As in `TrainingRecord`, like `outcome` and `folds`.
        outcome: Which model was kept.
        folds: Of an ensemble.
        teacher: How it does beside its teacher, if it has one.
    """
    folder = job.folder
    with measuring("scores"):
        metrics = write_evaluation(
            predictions,
            reported,
            folder.evaluation,
            folder.plots,
            plots=job.plan.draws_plots,
            custom=job.custom.metrics,
            max_pixels=bundle.max_pixels,
        )
        write_scores_without_leaks(predictions, folder.leaks, folder.evaluation / "metrics_without_leaks.json")
    record = TrainingRecord(
        plan=job.plan,
        environment=job.environment,
        counts={split: len(job.table.select(split)) for split in SPLITS},
        best_epoch=best_epoch,
        scores=metrics,
        abstention=measure_abstention(bundle.evidence, predictions),
        outcome=outcome,
        folds=tuple(folds),
        teacher=teacher,
    )
    recorded = replace(bundle, record=record)
    with measuring("saving"):
        save_bundle(recorded, folder.bundle)
        write_bundle_card(folder.bundle)
    return recorded


def complete(job: Job, bundle: Bundle, reported: ImageTable) -> None:
    """Write the report, if it is wanted, and remove the state: the run is complete."""
    if job.plan.writes_report:
        with measuring("report"):
            try_write_report(job.folder, reported, Predictor(bundle, job.runtime))
    job.folder.complete_run()
    logger.info("the run is complete: %s", job.folder.root)
