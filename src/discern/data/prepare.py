"""From what the user gave to checked pictures in train, validation and test."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from discern.config.sections.data import DataSettings
from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates.fingerprints import Fingerprints, compute_fingerprints
from discern.data.duplicates.matching import Duplicates, find_duplicates
from discern.data.missing_labels import resolve_missing_labels
from discern.data.reading.depth import apply_depth_range
from discern.data.reading.preflight import check_images, drop_images, save_bad_files
from discern.data.similar_classes import warn_of_similar_classes
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import log_ignored
from discern.data.sources.load import Source, load_table
from discern.data.splitting.fixes import FixFile, apply_fixes, load_fixes
from discern.data.splitting.folds import pool_splits
from discern.data.splitting.groups import join_groups
from discern.data.splitting.leaks import find_leaks
from discern.data.splitting.split import apply_split, save_split, split_table
from discern.data.table import SPLITS, ImageTable
from discern.errors import BadImagesError, ImageProblem, data_setting, name_some

logger = logging.getLogger("discern")

WITHOUT_BAD = (
    "Repair or remove them, or leave them out with ",
    data_setting("on_bad", "skip"),
    ".",
)


class FixedPictures(NamedTuple):
    """The pictures after the user's fixes, the ids that the fixes leave out, and the fixes."""

    table: ImageTable
    dropped: tuple[str, ...]
    fixes: tuple[FixFile, ...]


@dataclass(frozen=True, eq=False)
class CheckedPictures:
    """The pictures that can be used, in splits only where the user gave some.

    `dropped` are the ids that fixes or problems leave out; `problems` are the bad files among them. Fingerprints (one a
    row of `table`) are there where the audit or the search for duplicates needs them.
    """

    table: ImageTable
    dropped: tuple[str, ...]
    fixes: tuple[FixFile, ...]
    problems: tuple[ImageProblem, ...] = ()
    fingerprints: Fingerprints | None = None


@dataclass(frozen=True, eq=False)
class PreparedPictures:
    """All that training needs to know of its pictures.

    `table` has a split for every picture; `checked` are the same rows as the user gave them. Duplicates are there where
    fingerprints are; `leaks`, with the columns of `LEAK_COLUMNS`, only where a picture is in two splits.
    """

    table: ImageTable
    checked: CheckedPictures
    duplicates: Duplicates | None
    leaks: pd.DataFrame | None


def prepare_pictures(
    source: Source,
    settings: DataSettings,
    *,
    seed: int,
    cache: ArrayCache,
    bad_files: Path | None,
    in_folds: bool = False,
) -> PreparedPictures:
    """Load, check and split labelled pictures.

    Args:
        source: Labelled pictures in any form.
        settings: How to read, check and split them.
        seed: Of the split, where the user gives none.
        cache: Keeps fingerprints between runs.
        bad_files: Where to list the files that cannot be used; None in a process that writes no files.
        in_folds: Put all pictures into train that are not of the user's own test split; folds are made of them.

    Raises:
        DataError: The pictures cannot be understood or split.
        BadImagesError: There are bad files and `on_bad` is "error".
    """
    checked = load_fingerprinted(source, settings, bad_files, cache)
    duplicates = None if checked.fingerprints is None else find_duplicates(checked.fingerprints)
    if in_folds:
        table = pool_pictures(checked, duplicates, settings)
    else:
        table = split_pictures(checked, duplicates, settings, seed)
    leaks = None if duplicates is None else find_leaks(table, duplicates)
    if leaks is None or leaks.empty:
        return PreparedPictures(table, checked, duplicates, None)
    log_leaks(leaks)
    return PreparedPictures(table, checked, duplicates, leaks)


def prepare_shared_split(
    source: Source, settings: DataSettings, split_file: Path, *, seed: int, cache: ArrayCache
) -> ImageTable:
    """Split pictures for several runs: by `split_file` if it exists; otherwise make that file.

    Raises:
        DataError: The pictures cannot be used or split.
    """
    checked = load_fingerprinted(source, settings, split_file.with_name("bad_files.csv"), cache)
    if split_file.is_file():
        return apply_split(checked.table, split_file, dropped=checked.dropped)
    duplicates = None if checked.fingerprints is None else find_duplicates(checked.fingerprints)
    table = split_pictures(checked, duplicates, settings, seed)
    save_split(table, split_file)
    return table


def build_columns(settings: DataSettings) -> ColumnSettings:
    """Return how the settings say that a table is read."""
    return ColumnSettings(
        image_column=settings.image_column,
        label_column=settings.label_column,
        label_pattern=settings.label_pattern,
        image_root=settings.image_root,
        image_suffix=settings.image_suffix,
        split_column=settings.split_column,
        group_column=settings.group_column,
        keep_nan=settings.missing_labels == "keep",
    )


def load_fixed(source: Source, settings: DataSettings) -> FixedPictures:
    """Load a labelled table, apply the fixes that the settings name, and decide about what has no label then.

    Raises:
        DataError: The source or a file of fixes is not understood, they do not fit, or labels are missing.
    """
    table = load_table(source, build_columns(settings))
    files = tuple(load_fixes(path) for path in settings.fixes)
    fixed = apply_fixes(table, files)
    if files:
        counts = ", ".join(f"{count} {action}" for action, count in fixed.counts.items())
        logger.info("fixes from %s: %s", ", ".join(str(file.path) for file in files), counts)
    labelled, unlabelled = resolve_missing_labels(fixed.table, table, settings.missing_labels)
    labelled = apply_depth_range(labelled, settings.depth_range, max_pixels=settings.max_pixels)
    warn_of_similar_classes(labelled)
    return FixedPictures(labelled, (*fixed.dropped, *unlabelled), files)


def load_labelled(source: Source, settings: DataSettings, bad_files: Path | None) -> CheckedPictures:
    """Load a labelled table, with bad pictures found and handled as the settings say.

    Raises:
        DataError: The source is not understood.
        BadImagesError: There are pictures that cannot be used and `on_bad` is "error"; all are listed in `bad_files`
            (None in a process that writes no files).
    """
    pictures = load_fixed(source, settings)
    log_ignored(pictures.table)
    # With bad files left out, a truncated one must not stop the training in the middle of an epoch either.
    verify = "full" if settings.on_bad == "skip" else settings.verify
    problems = check_images(pictures.table, verify=verify, max_pixels=settings.max_pixels)
    if problems and verify == "header":  # the list that ends the command is that of all
        problems = check_images(pictures.table, verify="full", max_pixels=settings.max_pixels)
    return _drop_bad_pictures(pictures, None, problems, settings, bad_files)


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
    log_ignored(pictures.table)
    fingerprints = compute_fingerprints(pictures.table, cache, max_pixels=settings.max_pixels)
    return _drop_bad_pictures(pictures, fingerprints, fingerprints.problems, settings, bad_files)


def split_pictures(
    checked: CheckedPictures, duplicates: Duplicates | None, settings: DataSettings, seed: int
) -> ImageTable:
    """Give every picture a split, as the user gave it or at random; at random, duplicates stay on one side.

    Raises:
        DataError: A split cannot be made, or the user's makes no sense.
    """
    table = checked.table
    if settings.split_file is not None:
        table = apply_split(table, settings.split_file, dropped=checked.dropped)
    else:
        if duplicates is not None and settings.group_duplicates:
            table = join_groups(table, duplicates.pairs)
        table, remarks = split_table(table, fractions=settings.split, seed=seed)
        for remark in remarks:
            logger.warning("%s", remark)
    _log_counts(table, SPLITS)
    return table


def pool_pictures(checked: CheckedPictures, duplicates: Duplicates | None, settings: DataSettings) -> ImageTable:
    """Put all pictures into train but those of the user's own test split; duplicates become groups.

    Raises:
        DataError: The user's split makes no sense.
    """
    table = checked.table
    if settings.split_file is not None:
        table = apply_split(table, settings.split_file, dropped=checked.dropped)
    table, from_validation = pool_splits(table)
    if from_validation:
        logger.info(
            "the %d pictures of the given validation split join the folds, each of which takes a validation split of "
            "its own",
            from_validation,
        )
    if duplicates is not None and settings.group_duplicates:
        table = join_groups(table, duplicates.pairs)
    _log_counts(table, ("train", "test"))
    return table


def _log_counts(table: ImageTable, splits: Sequence[str]) -> None:
    counts = ", ".join(f"{len(table.select(split))} {split}" for split in splits)
    logger.info("%d pictures of %d classes: %s", len(table), len(table.class_names), counts)
    logger.info("classes: %s", name_some([f"{index} = {name}" for index, name in enumerate(table.class_names)]))


def log_leaks(leaks: pd.DataFrame) -> None:
    """Warn of pictures that are in two splits."""
    counts = ", ".join(f"{count} of {split}" for split, count in leaks["split"].value_counts().items())
    logger.warning(
        "the split leaks: pictures that another split has as well: %s; see leaks.csv. The split is kept, so its scores "
        "are too good; metrics without these pictures are reported too",
        counts,
    )


def _drop_bad_pictures(
    pictures: FixedPictures,
    fingerprints: Fingerprints | None,
    problems: Sequence[ImageProblem],
    settings: DataSettings,
    bad_files: Path | None,
) -> CheckedPictures:
    """Leave out pictures that cannot be used, or stop at them."""
    table, dropped, fixes = pictures
    list_problems(problems, bad_files)
    if not problems:
        return CheckedPictures(table, dropped, fixes, fingerprints=fingerprints)
    if settings.on_bad == "error":
        raise BadImagesError(problems, next_step=WITHOUT_BAD, listed_in=bad_files)
    logger.warning("left out %d of %d pictures that cannot be used; see %s", len(problems), len(table), bad_files)
    kept = drop_images(table, problems)
    if fingerprints is not None:
        fingerprints = fingerprints.take(pd.Index(table.frame["id"]).get_indexer(pd.Index(kept.frame["id"])))
    unusable = set(table.frame["id"]) - set(kept.frame["id"])
    return CheckedPictures(kept, (*dropped, *unusable), fixes, tuple(problems), fingerprints)


def list_problems(problems: Sequence[ImageProblem], bad_files: Path | None) -> None:
    """Write the list of bad files if one is wanted, or remove that of an earlier call where there are none."""
    if bad_files is None:
        return
    if problems:
        bad_files.parent.mkdir(parents=True, exist_ok=True)
        save_bad_files(problems, bad_files)
    else:
        bad_files.unlink(missing_ok=True)
