"""Pictures in a folder of class folders, with or without train, validation and test around them."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from discern.data.reading.decode import supported_extensions
from discern.data.table import ImageTable, build_table, join_all, natural_key, natural_sort, parse_split
from discern.errors import DataError, list_some
from discern.run_folder import RUN_FOLDERS, RunFolder

_HEIF = (".heic", ".heif")
_EXPECTED = "Expected FOLDER/CLASS/picture.jpg, or FOLDER/train/CLASS/picture.jpg (and the same in val and test)."


class Listing(NamedTuple):
    """Names in a folder, each in natural order; `runs` are subfolders that a run of discern wrote."""

    folders: list[str]
    files: list[str]
    runs: list[str]


def load_folder(root: Path) -> ImageTable:
    """Load a folder whose subfolders are the classes, or the splits with the classes inside.

    Subfolders are splits when all of them have names of splits, or when one means `train` and has subfolders.
    Hidden files are skipped; other files that are no pictures are listed in `ignored`, and so are pictures outside of
    class folders, a `test` folder without classes (its pictures have no label) and runs of discern.

    Raises:
        DataError: There are no pictures, no classes, folders inside class folders, or splits without train.
    """
    scan = _Scan(root)
    splits = _find_split_folders(root)
    for split, folder in splits.items():
        scan.add_classes(folder, split)
    if splits:
        scan.ignore_runs(root, list_folder(root).runs)
    else:
        scan.add_classes(root, None)
    scan.check(splits)
    columns: dict[str, Sequence[str | None]] = {
        "id": scan.ids,
        "path": join_all(root, scan.ids),
        "label": scan.labels,
        "split": scan.splits,
    }
    return build_table(columns, source=str(root), ignored=scan.ignored)


def list_folder(folder: Path) -> Listing:
    """Return the names of subfolders and of files, hidden ones left out."""
    with os.scandir(folder) as entries:
        visible = [(entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith(".")]
    folders = natural_sort(name for name, is_folder in visible if is_folder)
    files = natural_sort(name for name, is_folder in visible if not is_folder)
    runs = _find_runs(folder, folders)
    return Listing([name for name in folders if name not in runs], list(files), runs)


def walk_pictures(root: Path) -> tuple[list[str], list[str]]:
    """Return the pictures at any depth, relative to `root` and in natural order, and what was ignored, with reasons."""
    pictures, ignored = [], []
    for folder, subfolders, names in os.walk(root):
        relative = Path(folder).relative_to(root)
        runs = _find_runs(Path(folder), subfolders)
        ignored += [_describe_run((relative / name).as_posix()) for name in runs]
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in runs]
        for name in (name for name in names if not name.startswith(".")):
            file = (relative / name).as_posix()
            if is_picture(name):
                pictures.append(file)
            else:
                ignored.append(describe_unsupported(file))
    return sorted(pictures, key=natural_key), sorted(ignored, key=natural_key)


def is_picture(name: str) -> bool:
    """Return whether a file is of a supported type, by its extension."""
    return name.lower().endswith(supported_extensions())


def describe_unsupported(file: str) -> str:
    """Return why a file is not used."""
    suffix = Path(file).suffix
    reason = f"{file}: {suffix or 'no extension'} is no supported type of picture"
    return f"{reason} without discern[heif]" if suffix.lower() in _HEIF else reason


def describe_no_pictures(place: str, ignored: list[str]) -> str:
    """Return a message for a place without pictures: what it holds, and what is supported."""
    seen = f" Not used:\n{list_some(ignored, shown=5)}\n" if ignored else " "
    return f"{place}: no pictures found.{seen}Supported are {', '.join(supported_extensions())}."


def _find_runs(folder: Path, subfolders: Iterable[str]) -> list[str]:
    """Return the subfolders that hold a run of discern, or are part of the run that the folder itself holds."""
    parts = RUN_FOLDERS if _holds_run(folder) else ()
    return [name for name in subfolders if name in parts or _holds_run(folder / name)]


def _holds_run(folder: Path) -> bool:
    run = RunFolder(folder)
    return (run.config.is_file() and run.environment.is_file()) or (run.bundle / "bundle.json").is_file()


def _describe_run(place: str) -> str:
    return f"{place}: belongs to a run of discern"


def _find_split_folders(root: Path) -> dict[str, Path]:
    """Return the folder of each split, train first; empty when the subfolders are classes."""
    folders = list_folder(root).folders
    named = [(split, root / name) for name in folders if (split := parse_split(name)) is not None]
    train_has_folders = any(split == "train" and list_folder(folder).folders for split, folder in named)
    if not named or (len(named) < len(folders) and not train_has_folders):
        return {}
    found = dict(named)
    if len(found) < len(named):
        names = ", ".join(folder.name for _, folder in named)
        raise DataError(f"{root}: two of the folders {names} mean the same split. Keep one of them.")
    if "train" not in found:
        names = ", ".join(folder.name for _, folder in named)
        raise DataError(f"{root}: found {names}, but no folder train. {_EXPECTED}")
    return found


class _Scan:
    """What was found below a folder; ids are paths relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ids: list[str] = []
        self.labels: list[str | None] = []
        self.splits: list[str | None] = []
        self.ignored: list[str] = []
        self.nested: list[str] = []
        self.without_classes: list[Path] = []

    def add_classes(self, folder: Path, split: str | None) -> None:
        classes, loose, runs = list_folder(folder)
        self.ignore_runs(folder, runs)
        if not classes and any(is_picture(name) for name in loose):
            self.without_classes.append(folder)
        for name in loose:
            file = self._relative(folder / name)
            self.ignored.append(f"{file}: in no class folder" if is_picture(name) else describe_unsupported(file))
        for name in classes:
            self._add_class(folder / name, split)

    def ignore_runs(self, folder: Path, runs: Iterable[str]) -> None:
        self.ignored += [_describe_run(self._relative(folder / name)) for name in runs]

    def _add_class(self, folder: Path, split: str | None) -> None:
        place = self._relative(folder)
        subfolders, names, runs = list_folder(folder)
        self.ignore_runs(folder, runs)
        nested = [name for name in subfolders if walk_pictures(folder / name)[0]]
        if nested:
            self.nested.append(f"{place}: {', '.join(nested)}")
        pictures = [name for name in names if is_picture(name)]
        self.ids += [f"{place}/{name}" for name in pictures]
        self.labels += [folder.name] * len(pictures)
        self.splits += [split] * len(pictures)
        self.ignored += [describe_unsupported(f"{place}/{name}") for name in names if not is_picture(name)]
        if not pictures:
            self.ignored.append(f"{place}: no pictures in it")

    def check(self, splits: dict[str, Path]) -> None:
        if self.nested:
            raise DataError(self._describe_nested())
        flat = [folder for folder in self.without_classes if folder != splits.get("test")]
        if flat:
            places = ", ".join(str(folder) for folder in flat)
            raise DataError(
                f"{places}: pictures, but no class folders. {_EXPECTED} Where the labels are in a CSV, give the CSV."
            )
        if not self.ids:
            raise DataError(describe_no_pictures(str(self.root), self.ignored))

    def _describe_nested(self) -> str:
        folders = list_folder(self.root).folders
        hint = f" Perhaps {self.root / folders[0]} is the folder you mean." if len(folders) == 1 else ""
        return (
            f"{self.root}: these were taken for classes, but hold folders of pictures:\n{list_some(self.nested)}\n"
            f"{_EXPECTED}{hint} Other shapes of folders need a CSV with a picture and a label in each row."
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()
