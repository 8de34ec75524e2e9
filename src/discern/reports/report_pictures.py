"""The pictures of a report: read while they can be read, explained, and kept small beside it."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

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
    """Return what is shown, by id: copies kept from an earlier time, or else what can be read now, which is kept.

    Args:
        folder: Where copies are kept.
        shown: Whose pictures are wanted; the explained ones with maps of the evidence for both classes.
        table: All reported pictures, at whose rows the shown ones are.
        max_pixels: A picture with more is not read.
        load_predictor: Asked only if there are maps to make.
    """
    wanted = shown.list_all()
    missing = [one for one in wanted if not _find_copy(folder, one.id).is_file()]
    thumbnails = load_thumbnails(
        table, [one.row for one in missing], max_count=len(missing), shown_in=folder.report.name, max_pixels=max_pixels
    )
    new = [one for one in missing if one.row in thumbnails]
    if new:
        folder.thumbnails.mkdir(exist_ok=True)
    for one in new:
        write_atomically(_find_copy(folder, one.id), encode_thumbnail(thumbnails[one.row]))
    to_explain = [one for one in new if one in shown.explained]
    if to_explain:
        _keep_maps(folder, to_explain, thumbnails, table, load_predictor)
    return {one.id: _read_copies(folder, one.id) for one in wanted if _find_copy(folder, one.id).is_file()}


def _keep_maps(
    folder: RunFolder,
    mistakes: Sequence[Shown],
    thumbnails: dict[int, npt.NDArray[np.uint8]],
    table: ImageTable,
    load_predictor: LoadPredictor,
) -> None:
    """Keep for each mistake where the evidence for its answer lies, and where that for the true class."""
    try:
        predictor = load_predictor()
        squares = ImageDataset(table, predictor.bundle.preprocess, max_pixels=predictor.bundle.max_pixels)
        images = torch.stack([squares.read_canvas(one.row) for one in mistakes])
        index = predictor.class_names.index
        targets = [index(name) for one in mistakes for name in (one.predicted, one.true)]
        maps = explain_predictions(predictor, images.repeat_interleave(2, dim=0), targets)
    except (DiscernError, ValueError) as error:
        logger.info("the report shows no maps of the evidence: %s", error)
        return
    names = [(one, part) for one in mistakes for part in ("predicted", "true")]
    for (one, part), values in zip(names, maps, strict=True):
        picture, preprocess = thumbnails[one.row], predictor.bundle.preprocess
        placed = place_on_picture(values, (picture.shape[1], picture.shape[0]), preprocess)
        drawn = fade_unseen(overlay_map(picture, placed), preprocess)
        write_atomically(_find_copy(folder, one.id, part), encode_thumbnail(drawn))


def _read_copies(folder: RunFolder, picture_id: str) -> PictureImages:
    maps = [_find_copy(folder, picture_id, part) for part in ("predicted", "true")]
    return PictureImages(
        _find_copy(folder, picture_id).read_bytes(), *(path.read_bytes() if path.is_file() else None for path in maps)
    )


def _find_copy(folder: RunFolder, picture_id: str, part: str = "") -> Path:
    """Return where the copy of a picture lies, or that of its map for a class."""
    name = hashlib.sha256(picture_id.encode()).hexdigest()[:20]
    return folder.thumbnails / (f"{name}-{part}.jpg" if part else f"{name}.jpg")
