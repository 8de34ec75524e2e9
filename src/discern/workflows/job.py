"""A training that is ready to begin, and everything from its first epoch to its files."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from discern.console import MessageLog
from discern.data.table import SPLITS, ImageTable
from discern.environment import Environment
from discern.errors import BadImageError, DataError, WriteError
from discern.evaluation.abstention import measure_abstention
from discern.evaluation.predictions import Predictions, build_table_predictions, join_predictions
from discern.models.classifier import Classifier
from discern.ownership import check_owned
from discern.planning.plan import Plan
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import Bundle, save_bundle
from discern.predictor.calibration import compute_probabilities
from discern.predictor.predictor import Predictor
from discern.predictor.record import TrainingRecord
from discern.reports.evaluation_files import write_evaluation
from discern.reports.leak_scores import write_scores_without_leaks
from discern.reports.run import Run
from discern.reports.run_report import try_write_report
from discern.reports.training_plots import draw_training
from discern.run_folder import RunFolder
from discern.runtime import Runtime, seed_everything
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
from discern.training.state import TrainingState

logger = logging.getLogger("discern")


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
        bundle = build_bundle(classifier, plan, data, result, job.runtime)
        predictions, reported = _predict_splits(job, bundle, data, result)
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


def _predict_splits(job: Job, bundle: Bundle, data: TrainingData, result: FitResult) -> tuple[Predictions, ImageTable]:
    """Return the predictions of validation, from the best epoch, and of test, computed only now.

    The second value is the pictures of the reported split: test if it is evaluated, otherwise validation.
    """
    parts, reported = [], data.validation
    policy = build_policy(AnswerForm(), bundle)
    if result.validation_logits is not None:
        probabilities = compute_probabilities(result.validation_logits, bundle.calibration)
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
