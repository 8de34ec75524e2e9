"""The pictures of a report: small copies with maps of the evidence, kept in the run folder."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from discern.data.moved import GIVE_DATA
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.thumbnails import encode_thumbnail, load_thumbnails
from discern.data.table import ImageTable
from discern.errors import DiscernError
from discern.explanation.maps import explain_predictions
from discern.explanation.overlay import overlay_map
from discern.explanation.placing import fade_unseen, place_on_picture
from discern.files import write_atomically
from discern.predictor.predictor import Predictor
from discern.reports.mistakes import Images, PictureImages, Shown, ShownPictures
from discern.run_folder import RunFolder

logger = logging.getLogger("discern")

LoadPredictor = Callable[[], Predictor]


def gather_pictures(
    folder: RunFolder, shown: ShownPictures, table: ImageTable, max_pixels: int, load_predictor: LoadPredictor
) -> Images:
    """Return the pictures that are shown, by id: the copies kept earlier, and new ones of files that can be read.

    Args:
        folder: Keeps the copies.
        shown: The answers whose pictures are wanted; those explained get maps of the evidence for both classes.
        table: All reported pictures; `row` of a shown answer is a row of it.
        max_pixels: A picture with more is not read.
        load_predictor: Called only if there are maps to compute.
    """
    wanted = shown.list_all()
    missing = [one for one in wanted if not folder.thumbnail(one.id).is_file()]
    thumbnails = load_thumbnails(
        table,
        [one.row for one in missing],
        max_count=len(missing),
        shown_in=folder.report.name,
        max_pixels=max_pixels,
        advice=GIVE_DATA,
    )
    new = [one for one in missing if one.row in thumbnails]
    if new:
        folder.thumbnails.mkdir(exist_ok=True)
    for one in new:
        write_atomically(folder.thumbnail(one.id), encode_thumbnail(thumbnails[one.row]))
    to_explain = [one for one in new if one in shown.explained]
    if to_explain:
        _save_maps(folder, to_explain, thumbnails, table, load_predictor)
    return read_kept_pictures(folder, shown)


def read_kept_pictures(folder: RunFolder, shown: ShownPictures) -> Images:
    """Return those of the pictures that are shown of which the run folder keeps copies, by id."""
    return {one.id: _read_copies(folder, one.id) for one in shown.list_all() if folder.thumbnail(one.id).is_file()}


def _save_maps(
    folder: RunFolder,
    mistakes: Sequence[Shown],
    thumbnails: dict[int, npt.NDArray[np.uint8]],
    table: ImageTable,
    load_predictor: LoadPredictor,
) -> None:
    """Keep for each mistake a map of the evidence for its answer, and one for the true class."""
    try:
        predictor = load_predictor()
        squares = ImageDataset(table, predictor.bundle.preprocess, max_pixels=predictor.bundle.max_pixels)
        images = torch.stack([squares.read_canvas(one.row) for one in mistakes])
        index = predictor.class_names.index
        targets = [index(name) for one in mistakes for name in (one.predicted, one.true)]
        maps = explain_predictions(predictor, images.repeat_interleave(2, dim=0), targets)
    except (DiscernError, ValueError) as error:
        logger.info("the report has no maps of the evidence: %s", error)
        return
    names = [(one, part) for one in mistakes for part in ("predicted", "true")]
    for (one, part), values in zip(names, maps, strict=True):
        picture, preprocess = thumbnails[one.row], predictor.bundle.preprocess
        placed = place_on_picture(values, (picture.shape[1], picture.shape[0]), preprocess)
        drawn = fade_unseen(overlay_map(picture, placed), preprocess)
        write_atomically(folder.thumbnail(one.id, part), encode_thumbnail(drawn))


def _read_copies(folder: RunFolder, picture_id: str) -> PictureImages:
    maps = [folder.thumbnail(picture_id, part) for part in ("predicted", "true")]
    return PictureImages(
        folder.thumbnail(picture_id).read_bytes(), *(path.read_bytes() if path.is_file() else None for path in maps)
    )
