"""What happens once after the last epoch: the test split, the bundle, the plots, the report."""

import logging
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from discern.data.table import SPLITS
from discern.environment import Environment
from discern.files import write_json
from discern.models.classifier import Classifier
from discern.planning.choices import choose_architecture
from discern.planning.preparation import Prepared
from discern.plots.curves import plot_curves, plot_schedule
from discern.predictor.bundle import Bundle, save_bundle
from discern.predictor.predictor import Predictor, compute_probabilities
from discern.predictor.record import TrainingRecord
from discern.reports.evaluation_files import SplitAnswers, save_figure, write_evaluation
from discern.reports.leak_scores import write_scores_without_leaks
from discern.run_folder import RunFolder
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.fit import FitResult
from discern.training.history import build_history
from discern.training.knowledge import add_knowledge, summarise_abstention
from discern.training.schedule_plan import RatePoint, simulate_schedule
from discern.training.shipped import describe_shipped
from discern.workflows.report import write_report

logger = logging.getLogger("discern")


def complete_run(
    prepared: Prepared, folder: RunFolder, classifier: Classifier, data: TrainingData, result: FitResult
) -> None:
    """Evaluate the best model, the test split once, save the bundle, draw plots and report, and remove the state."""
    logger.info("best epoch: %d of %d", result.best.epoch, len(result.rows))
    _tell_what_ships(prepared, folder, data, result)
    training, runtime = prepared.settings.training, prepared.runtime
    bundle = add_knowledge(_build_bundle(prepared, classifier, data), training, data, result, runtime)
    answers = _answer(prepared, bundle, data, result)
    processes = prepared.runtime.processes
    if processes.is_main:
        scores = dict(write_evaluation(answers, folder.evaluation, folder.plots))
        abstention = summarise_abstention(bundle, answers)
        bundle = replace(bundle, record=_build_record(prepared, result, scores, abstention))
        write_scores_without_leaks(answers, folder.leaks, folder.evaluation / "metrics_without_leaks.json")
        save_bundle(bundle, folder.bundle)
        _draw_training(prepared, folder, data, result)
        shutil.rmtree(folder.state, ignore_errors=True)
        _write_page(folder, answers, bundle, runtime)
        logger.info("the run is complete: %s", folder.root)
    # Nobody leaves before the files are there.
    processes.gather(None)


def _tell_what_ships(prepared: Prepared, folder: RunFolder, data: TrainingData, result: FitResult) -> None:
    """Say and record whether fine-tuning paid."""
    words = describe_shipped(result, data.validation.targets(), prepared.settings.training.monitor)
    if words is None:
        return
    logger.info("what ships: %s", words)
    prepared.environment["choices"]["what ships"] = words
    if prepared.runtime.processes.is_main:
        write_json(folder.environment, prepared.environment)


def _build_bundle(prepared: Prepared, classifier: Classifier, data: TrainingData) -> Bundle:
    return Bundle(
        classifier=classifier,
        architecture=choose_architecture(prepared.settings.model),
        class_names=prepared.table.class_names,
        preprocess=data.preprocess,
        max_pixels=data.max_pixels,
    )


def _build_record(
    prepared: Prepared, result: FitResult, scores: dict[str, Any], abstention: dict[str, Any]
) -> TrainingRecord:
    return TrainingRecord(
        environment=Environment.model_validate(prepared.environment),
        counts={split: len(prepared.table.select(split)) for split in SPLITS},
        best_epoch=result.best.epoch,
        scores=scores,
        abstention=abstention,
        outcome=prepared.environment["choices"].get("what ships"),
    )


def _answer(prepared: Prepared, bundle: Bundle, data: TrainingData, result: FitResult) -> dict[str, SplitAnswers]:
    """Return the best epoch's answers for validation, which are known since then, and for test, looked at only now."""
    answers = {}
    if result.validation_logits is not None:
        probabilities = compute_probabilities(result.validation_logits, bundle.calibration)
        answers["validation"] = SplitAnswers(data.validation, probabilities, bundle.max_pixels)
    test = prepared.table.select("test")
    if len(test) and not prepared.settings.run.evaluate_test:
        logger.info("the test split is left for later (run.evaluate_test=false)")
    elif len(test):
        predictor = Predictor(bundle, prepared.runtime)
        answers["test"] = SplitAnswers(test, predictor.predict_probabilities(test), bundle.max_pixels)
    if not answers:
        logger.warning("there is neither a validation nor a test split: nothing is evaluated")
    elif not len(test):
        logger.warning("there is no test split: the model was chosen by its validation scores, which flatter it")
    return answers


def _write_page(folder: RunFolder, answers: Mapping[str, SplitAnswers], bundle: Bundle, runtime: Runtime) -> None:
    """Write the page of the run, which is complete without it."""
    table = list(answers.values())[-1].table if answers else None
    try:
        write_report(folder, table, Predictor(bundle, runtime), max_pixels=bundle.max_pixels)
    except Exception as error:  # noqa: BLE001 - whatever it is, a trained run is worth more than its page
        logger.warning(
            "%s could not be made (%s: %s); discern report %s tries again",
            folder.report,
            type(error).__name__,
            error,
            shlex.quote(str(folder.root)),
        )


def _draw_training(prepared: Prepared, folder: RunFolder, data: TrainingData, result: FitResult) -> None:
    folder.plots.mkdir(exist_ok=True)
    best_epoch = result.best.epoch if result.best.has_validation else None
    save_figure(plot_curves(build_history(result.rows), best_epoch=best_epoch), folder.plots / "curves.png")
    phases, place = prepared.settings.training.phases, folder.plots / "learning_rate.png"
    if prepared.settings.run.budget is not None or any(phase.schedule == "plateau" for phase in phases):
        # When the rate drops was not known beforehand: this is what it was at the end of every epoch.
        rates = [RatePoint(row.phase, row.epoch - 1, row.learning_rate) for row in result.rows]
    else:
        rates = simulate_schedule(phases, steps_per_epoch=-(-len(data.train) // data.batch_size))
    save_figure(plot_schedule(pd.DataFrame(rates)), place)
