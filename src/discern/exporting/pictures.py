"""The real pictures that an exported file is proven on."""

from pathlib import Path

import numpy as np
import pandas as pd

from discern.data.moved import WHERE_MOVED, find_pictures
from discern.data.reading.preflight import check_images
from discern.data.sources.load import Source, join_classes, load_table
from discern.data.stored_pictures import is_picture_there
from discern.data.table import ImageTable, build_table
from discern.errors import DATA, BadImagesError, DataError, ExportError
from discern.run_folder import RunFolder

MIN_PICTURES = 200
MAX_PICTURES = 2000
_ORDER = ("validation", "test", "train")


def load_pictures(run: Path, data: Source | None, class_names: tuple[str, ...]) -> ImageTable:
    """Return the labelled pictures of a run, or of `data`, with the run's classes.

    Where the run's pictures are gone, and `data` is the folder that they were moved to, they are those of the run.

    Raises:
        ExportError: The run's pictures are not known or no longer there.
        DataError: `data` is not understood, or has classes that the classifier does not know.
    """
    folder = RunFolder(run)
    table = _load_split(folder) if data is None else _find_moved(folder, data) or load_table(data)
    return join_classes(table, class_names)


def choose_pictures(table: ImageTable, max_pixels: int) -> ImageTable:
    """Return all validation pictures; where they are fewer than 200, test and then training pictures as well.

    Of more than 2,000 validation pictures 2,000 are drawn, always the same. Pictures without a split are validation.

    Raises:
        BadImagesError: Some of them cannot be read; all are named.
    """
    splits = table.frame["split"].fillna("validation").to_numpy()
    rng = np.random.default_rng(0)
    chosen: list[int] = []
    for split in _ORDER:
        rows = np.flatnonzero(splits == split)
        room = MAX_PICTURES if split == "validation" else MIN_PICTURES - len(chosen)
        if len(rows) > room > 0:
            rows = np.sort(rng.choice(rows, room, replace=False))
        chosen += rows.tolist() if room > 0 else []
    pictures = table.take(np.array(chosen, dtype=np.int64))
    problems = check_images(pictures, max_pixels=max_pixels)
    if problems:
        raise BadImagesError(problems, next_step=("Bring them back, or give other labelled pictures with ", DATA, "."))
    return pictures


def draw_training_pictures(table: ImageTable, count: int) -> ImageTable:
    """Return `count` training pictures, or of any where none is known as such; always the same."""
    training = table.select("train") if (table.frame["split"] == "train").any() else table
    rows = np.random.default_rng(0).permutation(len(training))[:count]
    return training.take(rows.astype(np.int64))


def _load_split(folder: RunFolder) -> ImageTable:
    if not folder.split.is_file():
        raise ExportError(
            f"{folder.root} has no {folder.split.name}, so the pictures to prove the export on are not known; "
            "give the run folder, or labelled pictures with ",
            DATA,
        )
    table = _read_split(folder, None)
    if not _is_any_there(table):
        raise ExportError(
            f"none of the {len(table)} pictures of {folder.split} is in {folder.read_data_root().absolute()} any more; "
            f"{WHERE_MOVED}",
            DATA,
        )
    return table


def _find_moved(folder: RunFolder, data: Source) -> ImageTable | None:
    """Return the run's pictures if they are gone from their place and are below `data`; None for other pictures."""
    if not isinstance(data, str | Path) or not folder.split.is_file():
        return None
    try:
        recorded, moved = (_read_split(folder, place) for place in (None, data))
    except ExportError:
        return None
    return moved if _is_any_there(moved) and not _is_any_there(recorded) else None


def _is_any_there(table: ImageTable) -> bool:
    return any(path and is_picture_there(path) for path in table.frame["path"])


def _read_split(folder: RunFolder, data: str | Path | None) -> ImageTable:
    try:
        frame = pd.read_csv(folder.split, dtype="str", keep_default_na=False)
        columns = {name: [cell or None for cell in frame[name]] for name in ("id", "label", "split")}
        paths = find_pictures(frame["path"].tolist(), folder.read_data_root(), data)
        return build_table({**columns, "path": paths}, source=str(folder.split))
    except (ValueError, KeyError, DataError) as error:
        raise ExportError(f"{folder.split} is damaged: {error}; give labelled pictures with ", DATA) from None
