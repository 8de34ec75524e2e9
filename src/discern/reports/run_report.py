"""Writes the report of a run from the contents of its folder, as often as wanted."""

import logging
import shlex
from dataclasses import replace
from pathlib import Path

from discern.data.reading.decode import MAX_PIXELS
from discern.data.table import ImageTable, build_table
from discern.errors import WriteError
from discern.files import write_atomically
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
    max_pixels: int = MAX_PIXELS,
    trained: bool = False,
) -> Path:
    """Write report.html of a run, complete or not, and keep small copies of its pictures.

    Args:
        folder: The run.
        table: The pictures of the reported split, where they are in memory; those of predictions.csv by default.
        predictor: The trained classifier; loaded from the run by default, if it is needed.
        max_pixels: A picture with more is not shown.
        trained: Whether the training is over, and only the report is missing for the run to be complete.
    """
    facts = load_run_facts(folder)
    if trained:
        facts = replace(facts, is_complete=True)
    shown = choose_pictures(facts)
    images: Images = {}
    if facts.answers is not None:
        frame = facts.answers.frame
        pictures = table or build_table({"id": frame["id"], "path": frame["path"]}, source="predictions.csv")
        images = gather_pictures(folder, shown, pictures, max_pixels, lambda: predictor or load(folder.root))
    write_atomically(folder.report, build_run_page(facts, shown, images))
    return folder.report


def try_write_report(folder: RunFolder, table: ImageTable, predictor: Predictor) -> None:
    """Write the report of a run that is complete but for it: a failure is logged, with the command that tries again."""
    try:
        write_report(folder, table, predictor, max_pixels=predictor.bundle.max_pixels, trained=True)
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
