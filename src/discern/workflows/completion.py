"""What happens once after the last epoch: the test split, the bundle, the plots, the report."""

import logging
import shlex
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd

from discern.data.table import SPLITS, ImageTable
from discern.environment import Environment
from discern.evaluation.abstention import Abstention, measure_abstention
from discern.evaluation.metrics import Metrics
from discern.evaluation.predictions import UNSPLIT, Predictions, build_table_predictions, join_predictions
from discern.files import write_json
from discern.models.classifier import Classifier
from discern.planning.choices import choose_architecture
from discern.planning.preparation import Prepared
from discern.plots.curves import plot_curves, plot_schedule
from discern.plots.saving import save_figure
from discern.predictor.bundle import Bundle, save_bundle
from discern.predictor.predictor import Predictor, compute_probabilities
from discern.predictor.record import TrainingRecord
from discern.reports.evaluation_files import write_evaluation
from discern.reports.leak_scores import write_scores_without_leaks
from discern.run_folder import RunFolder
from discern.runtime import Runtime
from discern.training.batches import TrainingData
from discern.training.fit import FitResult
from discern.training.history import build_history
from discern.training.knowledge import add_knowledge
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
    predictions, reported = _predict(prepared, bundle, data, result)
    processes = prepared.runtime.processes
    if processes.is_main:
        scores = write_evaluation(predictions, reported, folder.evaluation, folder.plots, max_pixels=bundle.max_pixels)
        abstention = measure_abstention(bundle.evidence, predictions)
        bundle = replace(bundle, record=_build_record(prepared, result, scores, abstention))
        write_scores_without_leaks(predictions, folder.leaks, folder.evaluation / "metrics_without_leaks.json")
        save_bundle(bundle, folder.bundle)
        _draw_training(prepared, folder, data, result)
        shutil.rmtree(folder.state, ignore_errors=True)
        _write_page(folder, reported if scores else None, bundle, runtime)
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
    prepared: Prepared, result: FitResult, scores: dict[str, Metrics], abstention: Abstention
) -> TrainingRecord:
    return TrainingRecord(
        environment=Environment.model_validate(prepared.environment),
        counts={split: len(prepared.table.select(split)) for split in SPLITS},
        best_epoch=result.best.epoch,
        scores=scores,
        abstention=abstention,
        outcome=prepared.environment["choices"].get("what ships"),
    )


def _predict(
    prepared: Prepared, bundle: Bundle, data: TrainingData, result: FitResult
) -> tuple[Predictions, ImageTable]:
    """Return the predictions for validation, known since the best epoch, and for test, looked at only now.

    With them come the pictures of the last of these splits, which is reported.
    """
    parts, reported = [], prepared.table.take(np.zeros(0, dtype=np.int64))
    if result.validation_logits is not None:
        probabilities = compute_probabilities(result.validation_logits, bundle.calibration)
        parts.append(build_table_predictions(data.validation, probabilities, "validation"))
        reported = data.validation
    test = prepared.table.select("test")
    if len(test) and not prepared.settings.run.evaluate_test:
        logger.info("the test split is left for later (run.evaluate_test=false)")
    elif len(test):
        predictor = Predictor(bundle, prepared.runtime)
        parts.append(build_table_predictions(test, predictor.predict_probabilities(test), "test"))
        reported = test
    if not parts:
        logger.warning("there is neither a validation nor a test split: nothing is evaluated")
        return build_table_predictions(reported, np.zeros((0, len(bundle.class_names))), UNSPLIT), reported
    if not len(test):
        logger.warning("there is no test split: the model was chosen by its validation scores, which flatter it")
    return join_predictions(parts), reported


def _write_page(folder: RunFolder, table: ImageTable | None, bundle: Bundle, runtime: Runtime) -> None:
    """Write the page of the run, which is complete without it."""
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
