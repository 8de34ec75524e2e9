"""The page of a run: pictures gathered, written beside the rest, and made again from what was kept."""

import hashlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from discern.data.decode import MAX_PIXELS
from discern.data.table import ImageTable, build_table
from discern.errors import RunFolderError
from discern.files import write_atomically
from discern.report.mistakes import PictureImages, Shown, choose_pictures
from discern.report.run_facts import RunFacts, load_run_facts
from discern.report.run_page import build_run_page
from discern.run_folder import RunFolder
from discern.workflows.thumbnails import load_thumbnails

logger = logging.getLogger("discern")

_JPEG_QUALITY = 80


def report(run: str | Path) -> Path:
    """Write report.html into a run folder, from what it holds and the pictures as far as they can be read.

    Raises:
        RunFolderError: It is not the folder of a run.
    """
    folder = RunFolder(Path(run))
    if not folder.holds_run():
        raise RunFolderError(f"{run} holds no run of discern; give the folder that discern train wrote")
    return write_report(folder)


def write_report(folder: RunFolder, table: ImageTable | None = None, *, max_pixels: int = MAX_PIXELS) -> Path:
    """Write report.html and keep small copies of the pictures that it shows.

    Args:
        folder: A run, complete or not.
        table: The pictures of the reported split, where they are at hand; otherwise the paths in predictions.csv count.
        max_pixels: A picture with more is not shown.
    """
    facts = load_run_facts(folder)
    shown = choose_pictures(facts)
    images = _gather_images(folder, facts, shown.list_all(), table, max_pixels)
    write_atomically(folder.report, build_run_page(facts, shown, images))
    return folder.report


def _gather_images(
    folder: RunFolder, facts: RunFacts, shown: Sequence[Shown], table: ImageTable | None, max_pixels: int
) -> dict[str, PictureImages]:
    """Return the copies that were kept, and read and keep the others."""
    if facts.answers is None:
        return {}
    if table is None:
        frame = facts.answers.frame
        table = build_table({"id": frame["id"], "path": frame["path"]}, source="predictions.csv")
    kept = {one.id: path for one in shown if (path := _find_place(folder, one.id)).is_file()}
    rows = {one.row: one.id for one in shown if one.id not in kept}
    thumbnails = load_thumbnails(table, rows, most=len(rows), shown_in=folder.report.name, max_pixels=max_pixels)
    folder.thumbnails.mkdir(exist_ok=True)
    for row, pixels in thumbnails.items():
        kept[rows[row]] = _find_place(folder, rows[row])
        write_atomically(kept[rows[row]], _encode(pixels))
    return {name: PictureImages(path.read_bytes()) for name, path in kept.items()}


def _find_place(folder: RunFolder, picture_id: str) -> Path:
    return folder.thumbnails / f"{hashlib.sha256(picture_id.encode()).hexdigest()[:20]}.jpg"


def _encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=_JPEG_QUALITY, optimize=True)
    return buffer.getvalue()
