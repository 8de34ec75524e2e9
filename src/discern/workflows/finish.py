"""How a run ends, of one network or of an ensemble: the test, the evaluation, the bundle, the report."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from discern.data.table import SPLITS, ImageTable
from discern.evaluation.abstention import measure_abstention
from discern.evaluation.comparison import Comparison
from discern.evaluation.predictions import Predictions, build_table_predictions
from discern.predictor.answers import AnswerForm, build_policy
from discern.predictor.bundle import Bundle, save_bundle
from discern.predictor.predictor import Predictor
from discern.predictor.record import FoldRecord, TrainingRecord
from discern.reports.bundle_card import write_bundle_card
from discern.reports.evaluation_files import write_evaluation
from discern.reports.leak_scores import write_scores_without_leaks
from discern.reports.run_report import try_write_report
from discern.seconds import measuring
from discern.workflows.job import Job

logger = logging.getLogger("discern")


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
