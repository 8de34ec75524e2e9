"""From what the user gave to checked pictures in three splits."""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from discern.config.settings import DataSettings, Settings
from discern.data.cache.array_cache import ArrayCache
from discern.data.cache.home import build_cache
from discern.data.duplicates.fingerprints import Fingerprints, compute_fingerprints
from discern.data.duplicates.matching import Duplicates, find_duplicates
from discern.data.reading.preflight import check_images, drop_images, save_bad_files
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.load import Source, load_table
from discern.data.splitting.fixes import FixFile, apply_fixes, load_fixes
from discern.data.splitting.groups import join_groups
from discern.data.splitting.leaks import find_leaks
from discern.data.splitting.split import apply_split, save_split, split_table
from discern.data.table import SPLITS, ImageTable
from discern.errors import BadImagesError, ImageProblem

logger = logging.getLogger("discern")


class FixedPictures(NamedTuple):
    """The pictures as the user gave and fixed them, the ids that his fixes left out, and the fixes."""

    table: ImageTable
    dropped: tuple[str, ...]
    fixes: tuple[FixFile, ...]


class CheckedPictures(NamedTuple):
    """The pictures that can be used, the ids of those that were left out, and what is known of each picture.

    Fingerprints are missing where nobody asked for them.
    """

    table: ImageTable
    dropped: tuple[str, ...]
    fixes: tuple[FixFile, ...]
    fingerprints: Fingerprints | None


def load_fixed(source: Source, settings: DataSettings) -> FixedPictures:
    """Load a labelled table and apply the fixes that the settings name.

    Raises:
        DataError: The source or a file of fixes is not understood, or they do not fit.
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
    files = tuple(load_fixes(path) for path in settings.fixes)
    fixed = apply_fixes(table, files)
    if files:
        counts = ", ".join(f"{count} {action}" for action, count in fixed.counts.items())
        logger.info("fixes from %s: %s", ", ".join(str(file.path) for file in files), counts)
    return FixedPictures(fixed.table, fixed.dropped, files)


def load_labelled(source: Source, settings: DataSettings, bad_files: Path | None) -> CheckedPictures:
    """Load a labelled table, with bad pictures found and handled as the settings say.

    Raises:
        DataError: The source is not understood.
        BadImagesError: There are pictures that cannot be used and `on_bad` is "error"; all are listed in `bad_files`
            (None in a process that writes no files).
    """
    pictures = load_fixed(source, settings)
    _tell_ignored(pictures.table)
    # Who wants bad files left out wants no stop at a truncated one in the middle of an epoch either.
    verify = "full" if settings.on_bad == "skip" else settings.verify
    problems = check_images(pictures.table, verify=verify, max_pixels=settings.max_pixels)
    return _leave_out(pictures, None, problems, settings, bad_files)


def load_fingerprinted(
    source: Source, settings: DataSettings, bad_files: Path | None, cache: ArrayCache
) -> CheckedPictures:
    """Load a labelled table as `load_labelled` does, with every picture decoded once, if the settings need that.

    Raises:
        DataError: The source is not understood.
        BadImagesError: As for `load_labelled`; truncated files are always among them.
    """
    if settings.audit == "off" and not settings.group_duplicates:
        return load_labelled(source, settings, bad_files)
    pictures = load_fixed(source, settings)
    _tell_ignored(pictures.table)
    fingerprints = compute_fingerprints(pictures.table, cache, max_pixels=settings.max_pixels)
    return _leave_out(pictures, fingerprints, fingerprints.problems, settings, bad_files)


def split_pictures(
    table: ImageTable,
    settings: DataSettings,
    seed: int,
    dropped: Collection[str],
    duplicates: Duplicates | None = None,
) -> ImageTable:
    """Give every picture its split, as the user gave it or at random; duplicates stay on one side where that is free.

    Raises:
        DataError: A split cannot be made, or the user's makes no sense.
    """
    if settings.split_file is not None:
        table = apply_split(table, settings.split_file, dropped=dropped)
    else:
        if duplicates is not None and settings.group_duplicates:
            table = join_groups(table, duplicates.pairs)
        table, remarks = split_table(table, fractions=settings.split, seed=seed)
        for remark in remarks:
            logger.warning("%s", remark)
    counts = ", ".join(f"{len(table.select(split))} {split}" for split in SPLITS)
    logger.info("%d pictures of %d classes: %s", len(table), len(table.class_names), counts)
    logger.info("classes: %s", ", ".join(f"{index} = {name}" for index, name in enumerate(table.class_names)))
    return table


def fix_split(source: Source, settings: Settings, path: Path) -> ImageTable:
    """Split pictures once for several runs and write the split to a file, if it is not there yet; return the table.

    Raises:
        DataError: The pictures cannot be used or split.
    """
    cache = build_cache(settings.cache.folder, settings.cache.limit_gigabytes)
    pictures = load_fingerprinted(source, settings.data, path.with_name("bad_files.csv"), cache)
    if path.is_file():
        return apply_split(pictures.table, path, dropped=pictures.dropped)
    duplicates = find_pictures_twice(pictures.fingerprints)
    table = split_pictures(pictures.table, settings.data, settings.run.seed, pictures.dropped, duplicates)
    save_split(table, path)
    return table


def find_pictures_twice(fingerprints: Fingerprints | None) -> Duplicates | None:
    """Return which pictures are there more than once; None where no fingerprints were taken."""
    return None if fingerprints is None else find_duplicates(fingerprints)


def tell_leaks(table: ImageTable, duplicates: Duplicates | None) -> pd.DataFrame | None:
    """Return the pictures that leak from one split into another, and say so; None where there are none."""
    if duplicates is None:
        return None
    leaks = find_leaks(table, duplicates)
    if leaks.empty:
        return None
    counts = ", ".join(f"{count} of {split}" for split, count in leaks["split"].value_counts().items())
    logger.warning(
        "the split leaks: pictures that another split has as well: %s; see leaks.csv. The split is kept, its scores "
        "are too good; metrics without these pictures are reported besides",
        counts,
    )
    return leaks


def _tell_ignored(table: ImageTable) -> None:
    for note in table.ignored:
        logger.info("passed over: %s", note)


def _leave_out(
    pictures: FixedPictures,
    fingerprints: Fingerprints | None,
    problems: Sequence[ImageProblem],
    settings: DataSettings,
    bad_files: Path | None,
) -> CheckedPictures:
    """Stop at pictures that cannot be used, or leave them out."""
    table, dropped, fixes = pictures
    if bad_files is not None:
        _list_problems(problems, bad_files)
    if not problems:
        return CheckedPictures(table, dropped, fixes, fingerprints)
    if settings.on_bad == "error":
        raise BadImagesError(
            problems,
            next_step="Mend or remove them, or leave them out with data.on_bad=skip.",
            listed_in=bad_files,
        )
    logger.warning("left out %d of %d pictures that cannot be used; see %s", len(problems), len(table), bad_files)
    kept = drop_images(table, problems)
    if fingerprints is not None:
        fingerprints = fingerprints.take(pd.Index(table.frame["id"]).get_indexer(pd.Index(kept.frame["id"])))
    unusable = set(table.frame["id"]) - set(kept.frame["id"])
    return CheckedPictures(kept, (*dropped, *unusable), fixes, fingerprints)


def _list_problems(problems: Sequence[ImageProblem], bad_files: Path) -> None:
    if problems:
        bad_files.parent.mkdir(parents=True, exist_ok=True)
        save_bad_files(problems, bad_files)
    else:
        bad_files.unlink(missing_ok=True)
