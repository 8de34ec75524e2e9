"""Carries out a training: from its first epoch, or from where it was left, to the files of its run."""

import logging
from collections.abc import Sequence

import numpy as np

from discern.counts import count_of, is_are
from discern.data.table import ImageTable
from discern.errors import BadImageError, DataError
from discern.evaluation.comparison import Comparison
from discern.evaluation.predictions import Predictions, build_table_predictions, join_predictions
from discern.models.classifier import Classifier
from discern.ownership import check_owned
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import Bundle
from discern.predictor.calibration import compute_probabilities
from discern.reports.run import Run
from discern.reports.training_plots import draw_training
from discern.runtime import seed_everything
from discern.seconds import measuring
from discern.training.batches import TrainingData, build_training_data
from discern.training.bundling import build_bundle
from discern.training.deadline import Deadline
from discern.training.exact_validation import make_validation_exact
from discern.training.fit import Fit, FitResult
from discern.training.history import build_history
from discern.training.listeners import Listener, calling_listeners
from discern.training.outcome import describe_outcome
from discern.training.state import TrainingState
from discern.training.tta import ViewedValidation, choose_tta
from discern.workflows.finish import complete, predict_test, save_evaluated
from discern.workflows.job import Job, naming_resumption
from discern.workflows.teacher import compare_with_teacher

logger = logging.getLogger("discern")


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


def _build_deadline(job: Job) -> Deadline | None:
    budget = job.plan.budget
    return None if budget is None else Deadline(budget.seconds, budget.reserve_seconds, job.started)


def _fit(fit: Fit, state: TrainingState | None, job: Job) -> FitResult:
    """Train; say how to go on with a training that is stopped, and how to find files that end one."""
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
    outcome = describe_outcome(result, data.validation.targets(), plan.training, plan.phases)
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
