"""What a run records of its pictures, and whether they are still the same when it is resumed."""

from pathlib import Path

from discern.config.sections.data import DataSettings
from discern.data.cache.array_cache import ArrayCache
from discern.data.duplicates.matching import find_duplicates
from discern.data.prepare import PreparedPictures, load_fingerprinted, pool_pictures
from discern.data.sources.kinds import find_root, open_place
from discern.data.sources.load import Source
from discern.data.sources.shards import find_shards
from discern.data.splitting.split import apply_split
from discern.data.stored_pictures import is_remote
from discern.data.table import ImageTable
from discern.environment import DataRecord, FixesRecord
from discern.errors import OUT, RunFolderError
from discern.run_folder import RunFolder


def describe_data(source: Source, pictures: PreparedPictures, image_root: Path | None) -> DataRecord:
    """Return what a run records of the pictures that it is made from."""
    address = source if isinstance(source, str) and is_remote(source) else None
    path = Path(source) if isinstance(source, str | Path) and address is None else None
    root = None if image_root is None else find_root(image_root)
    if path is not None and find_shards(path) is not None:
        root = path.parent
    elif path is not None and (root is None or open_place(path).is_dir()):
        root = find_root(path)
    return DataRecord(
        root=None if root is None else str(root.absolute()),
        source=address if path is None else str(path.resolve()),
        source_as_given=address if path is None else str(path),
        fingerprint=pictures.table.fingerprint(),
        fixes=tuple(FixesRecord.model_validate(file.to_dict()) for file in pictures.checked.fixes),
    )


def reload_pictures(
    source: Source | None,
    settings: DataSettings,
    recorded: DataRecord,
    folder: RunFolder,
    cache: ArrayCache,
    bad_files: Path | None,
    *,
    in_folds: bool = False,
) -> ImageTable:
    """Load the pictures of an interrupted run again, in the same splits.

    Args:
        source: The pictures; those that the run recorded by default.
        settings: Those that the run was started with.
        recorded: What the run recorded of them.
        folder: The run.
        cache: Where fingerprints are kept.
        bad_files: Where to list pictures that cannot be used; None in a process that writes no files.
        in_folds: Whether the run is one in folds.

    Raises:
        RunFolderError: The pictures were in memory and are not given again, or they or the fixes have changed.
    """
    source = _find_recorded(recorded) if source is None else source
    if source is None:
        raise RunFolderError(f"the run in {folder.root} was started with data in memory; give the same data again")
    checked = load_fingerprinted(source, settings, bad_files, cache)
    if [file.sha256 for file in checked.fixes] != [file.sha256 for file in recorded.fixes]:
        raise RunFolderError(
            f"the files of fixes are not what they were when the run in {folder.root} was started; start a new run "
            "with another ",
            OUT,
        )
    if in_folds:  # which also need to know what is a group
        duplicates = None if checked.fingerprints is None else find_duplicates(checked.fingerprints)
        table = pool_pictures(checked, duplicates, settings)
    else:
        table = apply_split(checked.table, folder.split, dropped=checked.dropped)
    if table.fingerprint() != recorded.fingerprint:
        raise RunFolderError(
            f"{table.source} is not what the run in {folder.root} was started with: pictures, labels or file sizes "
            "differ; start a new run with another ",
            OUT,
        )
    return table


def _find_recorded(recorded: DataRecord) -> str | None:
    """Return the recorded path, as given if that still leads there; paths in results begin with it."""
    given = recorded.source_as_given
    return given if given is not None and str(Path(given).resolve()) == recorded.source else recorded.source
