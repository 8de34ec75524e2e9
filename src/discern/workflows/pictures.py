"""From what the user gave to checked pictures in three splits."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from discern.config.settings import DataSettings
from discern.data.columns import ColumnSettings
from discern.data.preflight import check_images, drop_images, save_bad_files
from discern.data.sources import Source, load_table
from discern.data.split import apply_split, split_table
from discern.data.table import SPLITS, ImageTable
from discern.errors import BadImagesError, ImageProblem

logger = logging.getLogger("discern")


class CheckedPictures(NamedTuple):
    """The pictures that can be used, and the ids of those that were left out."""

    table: ImageTable
    dropped: tuple[str, ...]


def load_labelled(source: Source, settings: DataSettings, bad_files: Path | None) -> CheckedPictures:
    """Load a labelled table, with bad pictures found and handled as the settings say.

    Raises:
        DataError: The source is not understood.
        BadImagesError: There are pictures that cannot be used and `on_bad` is "error"; all are listed in `bad_files`
            (None in a process that writes no files).
    """
    columns = ColumnSettings(
        image_column=settings.image_column,
        label_column=settings.label_column,
        image_root=settings.image_root,
        image_suffix=settings.image_suffix,
        split_column=settings.split_column,
        group_column=settings.group_column,
    )
    table = load_table(source, columns)
    for note in table.ignored:
        logger.info("passed over: %s", note)
    # Who wants bad files left out wants no stop at a truncated one in the middle of an epoch either.
    verify = "full" if settings.on_bad == "skip" else settings.verify
    problems = check_images(table, verify=verify, max_pixels=settings.max_pixels)
    if bad_files is not None:
        _list_problems(problems, bad_files)
    if not problems:
        return CheckedPictures(table, ())
    if settings.on_bad == "error":
        raise BadImagesError(
            problems,
            next_step="Mend or remove them, or leave them out with data.on_bad=skip.",
            listed_in=bad_files,
        )
    logger.warning("left out %d of %d pictures that cannot be used; see %s", len(problems), len(table), bad_files)
    kept = drop_images(table, problems)
    return CheckedPictures(kept, tuple(set(table.frame["id"]) - set(kept.frame["id"])))


def _list_problems(problems: Sequence[ImageProblem], bad_files: Path) -> None:
    if problems:
        bad_files.parent.mkdir(parents=True, exist_ok=True)
        save_bad_files(problems, bad_files)
    else:
        bad_files.unlink(missing_ok=True)


def split_pictures(table: ImageTable, settings: DataSettings, seed: int, dropped: Collection[str]) -> ImageTable:
    """Give every picture its split, as the user gave it or at random.

    Raises:
        DataError: A split cannot be made, or the user's makes no sense.
    """
    if settings.split_file is not None:
        table = apply_split(table, settings.split_file, dropped=dropped)
    else:
        table, remarks = split_table(table, fractions=settings.split, seed=seed)
        for remark in remarks:
            logger.warning("%s", remark)
    counts = ", ".join(f"{len(table.select(split))} {split}" for split in SPLITS)
    logger.info("%d pictures of %d classes: %s", len(table), len(table.class_names), counts)
    logger.info("classes: %s", ", ".join(f"{index} = {name}" for index, name in enumerate(table.class_names)))
    return table
