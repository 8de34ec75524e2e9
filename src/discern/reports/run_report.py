"""Writes the report of a run from the contents of its folder, as often as wanted."""

import logging
import shlex
from dataclasses import replace
from pathlib import Path

from discern.data.moved import check_found, find_pictures
from discern.data.table import ImageTable, build_table
from discern.errors import WriteError
from discern.evaluation.predictions import Predictions
from discern.files import write_atomically
from discern.predictor.description import load_decoding
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.reports.mistakes import Images, choose_pictures
from discern.reports.report_pictures import gather_pictures
from discern.reports.run_facts import load_run_facts
from discern.reports.run_page import build_run_page
from discern.run_folder import RunFolder

logger = logging.getLogger("discern")


def write_report(
    folder: RunFolder,
    table: ImageTable | None = None,
    predictor: Predictor | None = None,
    *,
    data: str | Path | None = None,
    trained: bool = False,
) -> Path:
    """Write report.html of a run, complete or not, and keep small copies of its pictures.

    Args:
        folder: The run.
        table: The pictures of the reported split, where they are in memory; those of predictions.csv by default.
        predictor: The trained classifier; loaded from the run by default, if it is needed.
        data: The folder that the pictures were moved to.
        trained: Whether the training is over, and only the report is missing for the run to be complete.

    Raises:
        DataError: No picture is below `data`.
    """
    facts = load_run_facts(folder)
    if trained:
        facts = replace(facts, is_complete=True)
    shown = choose_pictures(facts)
    images: Images = {}
    if facts.answers is not None:
        max_pixels, depth_range = load_decoding(folder.root)
        pictures = table or _find_pictures(facts.answers, folder, data)
        pictures = replace(pictures, depth_range=depth_range)
        images = gather_pictures(folder, shown, pictures, max_pixels, lambda: predictor or load(folder.root))
    write_atomically(folder.report, build_run_page(facts, shown, images))
    return folder.report


def _find_pictures(answers: Predictions, folder: RunFolder, data: str | Path | None) -> ImageTable:
    paths = find_pictures(answers.paths.tolist(), folder.read_data_root(), data)
    check_found(paths, data)
    return build_table({"id": answers.ids, "path": paths}, source="predictions.csv")


def try_write_report(folder: RunFolder, table: ImageTable, predictor: Predictor) -> None:
    """Write the report of a run that is complete but for it: a failure is logged, with the command that tries again."""
    try:
        write_report(folder, table, predictor, trained=True)
    except WriteError:
        raise  # a full disk, say: what is missing is written when the run is resumed
    except Exception as error:  # noqa: BLE001 - whatever it is, a trained run is worth more than its page
        logger.warning(
            "%s could not be written (%s: %s); discern report %s tries again",
            folder.report,
            type(error).__name__,
            error,
            shlex.quote(str(folder.root)),
        )
