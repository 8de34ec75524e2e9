"""From what the user gave to checked pictures in three splits."""

import logging
from pathlib import Path

from discern.config.settings import DataSettings
from discern.data.preflight import check_images, drop_images, save_bad_files
from discern.data.sources import ColumnSettings, Source, load_table
from discern.data.split import apply_split, save_split, split_table
from discern.data.table import SPLITS, ImageTable
from discern.errors import BadImagesError
from discern.run_folder import RunFolder

logger = logging.getLogger("discern")


def build_columns(settings: DataSettings) -> ColumnSettings:
    """Return how a CSV is read."""
    return ColumnSettings(
        image_column=settings.image_column,
        label_column=settings.label_column,
        image_root=settings.image_root,
        image_suffix=settings.image_suffix,
        split_column=settings.split_column,
        group_column=settings.group_column,
    )


def load_labelled(source: Source, settings: DataSettings, bad_files: Path) -> ImageTable:
    """Load a labelled table, with bad pictures found and handled as the settings say.

    Raises:
        DataError: The source is not understood, or has pictures that cannot be used.
    """
    table = load_table(source, build_columns(settings))
    for note in table.ignored:
        logger.info("passed over: %s", note)
    return check_pictures(table, settings, bad_files)


def check_pictures(table: ImageTable, settings: DataSettings, bad_files: Path) -> ImageTable:
    """Find pictures that cannot be used, and stop or drop them.

    Raises:
        BadImagesError: There are some and `on_bad` is "error"; all of them, also in `bad_files`.
    """
    problems = check_images(table, verify=settings.verify, max_pixels=settings.max_pixels)
    if not problems:
        return table
    save_bad_files(problems, bad_files)
    if settings.on_bad == "error":
        raise BadImagesError(
            problems,
            next_step="Mend or remove them, or leave them out with data.on_bad=skip.",
            listed_in=bad_files,
        )
    logger.warning("left out %d of %d pictures that cannot be used; see %s", len(problems), len(table), bad_files)
    return drop_images(table, problems)


def split_pictures(table: ImageTable, settings: DataSettings, seed: int, folder: RunFolder) -> ImageTable:
    """Give every picture its split, as the user gave it or at random, and write split.csv.

    Raises:
        DataError: A split cannot be made, or the user's makes no sense.
    """
    if settings.split_file is not None:
        table = apply_split(table, settings.split_file)
    else:
        table, remarks = split_table(table, fractions=settings.split, seed=seed)
        for remark in remarks:
            logger.warning("%s", remark)
    counts = ", ".join(f"{len(table.select(split))} {split}" for split in SPLITS)
    logger.info("%d pictures of %d classes: %s", len(table), len(table.class_names), counts)
    logger.info("classes: %s", ", ".join(f"{index} = {name}" for index, name in enumerate(table.class_names)))
    save_split(table, folder.split)
    return table
