"""The one way to list a folder, for every command: at any depth, through links, and saying what is not used."""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from discern.data.reading.file_content import read_head
from discern.data.reading.file_types import find_file_type
from discern.data.reading.supported_types import supported_extensions
from discern.data.table import natural_key
from discern.errors import install_command, list_some, name_some
from discern.run_folder import RUN_FOLDERS, RunFolder

logger = logging.getLogger("discern")

_HEIF = (".heic", ".heif")
_ARCHIVES = (".zip", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst", ".rar", ".7z")
_OF_SYSTEMS = ("@eadir", "__macosx", "#recycle", "$recycle.bin", "system volume information", "lost+found")
"""Folders in which storage devices and operating systems keep thumbnails, and what was deleted."""
_MAX_WAYS = 16
"""A folder that more links than this lead to is not entered again: folders of links to each other would never end."""

_MAX_KINDS, _MAX_EXAMPLES = 10, 3

_Identity = tuple[int, int]


class Unused(NamedTuple):
    """A file or folder that is not used; the reason is the same text for all of a kind."""

    place: str
    reason: str


class FolderContent(NamedTuple):
    """What lies below a folder at any depth, by names relative to it with `/`, in natural order."""

    pictures: list[str]
    folders: list[str]
    unused: list[Unused]


def walk_folder(root: Path) -> FolderContent:
    """List a folder; links to files and folders are followed.

    Not entered, and listed among the unused: hidden folders, those that systems keep, runs of discern, folders that
    cannot be opened, and links to a folder that they lie in. What has the name of a picture counts as one, so that a
    link to nowhere or a pipe is found by the check of the pictures.
    """
    walk = _Walk()
    walk.read(root)
    unused = sorted(walk.unused, key=lambda found: natural_key(found.place))
    return FolderContent(sorted(walk.pictures, key=natural_key), sorted(walk.folders, key=natural_key), unused)


def is_picture(name: str) -> bool:
    """Return whether a file is of a supported type, by its extension."""
    return name.lower().endswith(supported_extensions())


def find_obstacle(path: str | Path) -> str | None:
    """Return why a file is not used; None for one with the name of a picture, or without extension and with a picture.

    What has another extension is not used, since copies that editors and downloads leave have one too, but is named.
    """
    if is_picture(str(path)):
        return None
    suffix, found = Path(path).suffix, find_file_type(read_head(path))
    if found is None or not found.is_picture:
        return explain_unsupported(suffix)
    if found.advice:
        return f"{found.name}{f' under {suffix}' if suffix else ''}: {found.advice}"
    return f"{found.name} under {suffix}: give it an extension of pictures to use it" if suffix else None


def explain_unsupported(suffix: str) -> str:
    """Return why a file is not used, by its extension."""
    reason = f"{suffix or 'no extension'} is no supported type of picture"
    if suffix.lower() in _HEIF:
        return f"{reason}; to read it: {install_command('heif')}"
    if suffix.lower() == ".tar":
        return f"{reason}; of shards give the names, such as 'shards/*.tar'"
    return f"{reason}; unpack it, or give it alone" if suffix.lower() in _ARCHIVES else reason


def sum_up(unused: Sequence[Unused]) -> list[str]:
    """Return a line for each kind of what is not used, with examples and a count; the details go to the log."""
    for place, reason in unused:
        logger.debug("not used: %s: %s", place, reason)
    places: dict[str, list[str]] = defaultdict(list)
    for place, reason in unused:
        places[reason].append(place)
    kinds = sorted(places, key=lambda reason: -len(places[reason]))
    lines = [f"{name_some(places[reason], shown=_MAX_EXAMPLES)}: {reason}" for reason in kinds]
    rest = kinds[_MAX_KINDS:]
    if len(rest) <= 1:
        return lines
    return [*lines[:_MAX_KINDS], f"{sum(len(places[reason]) for reason in rest)} more, of {len(rest)} other kinds"]


def describe_no_pictures(place: str, ignored: Sequence[str]) -> str:
    """Return a message for a place without pictures: what it holds, and what is supported."""
    seen = f" Not used:\n{list_some(ignored, shown=5)}\n" if ignored else " "
    return f"{place}: no pictures found.{seen}Supported are {', '.join(supported_extensions())}."


class _Walk:
    """What was found so far; places are relative to the root."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self.folders: list[str] = []
        self.unused: list[Unused] = []
        self._ways: Counter[_Identity] = Counter()
        self._next: list[tuple[Path, str, frozenset[_Identity]]] = []

    def read(self, root: Path) -> None:
        self._next.append((root, "", _identify_with_parents(root)))
        while self._next:
            self._list_one(*self._next.pop())

    def _list_one(self, folder: Path, place: str, around: frozenset[_Identity]) -> None:
        """List one folder; `around` are the folders that it lies in, and itself."""
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            self.unused.append(Unused(place.rstrip("/") or str(folder), f"cannot be opened: {error.strerror}"))
            return
        if place:
            self.folders.append(place.rstrip("/"))
        inner = [entry for entry in entries if _is_folder(entry)]
        runs = find_runs(folder, [entry.name for entry in inner])
        for entry in inner:
            self._choose(entry, f"{place}{entry.name}", entry.name in runs, around)
        for entry in set(entries).difference(inner):
            self._add_file(entry, f"{place}{entry.name}")

    def _choose(self, entry: "os.DirEntry[str]", place: str, is_run: bool, around: frozenset[_Identity]) -> None:
        identity = _identify(entry.path)
        self._ways[identity] += 1
        if entry.name.startswith("."):
            self.unused.append(Unused(place, "hidden"))
        elif entry.name.lower() in _OF_SYSTEMS:
            self.unused.append(Unused(place, "kept by the system, not by people"))
        elif is_run:
            self.unused.append(Unused(place, "belongs to a run of discern"))
        elif identity in around:
            self.unused.append(Unused(place, "a link to a folder that it lies in"))
        elif self._ways[identity] > _MAX_WAYS:
            self.unused.append(Unused(place, f"a link to a folder that was read {_MAX_WAYS} times already"))
        else:
            self._next.append((Path(entry.path), f"{place}/", around | {identity}))

    def _add_file(self, entry: "os.DirEntry[str]", place: str) -> None:
        if entry.name.startswith("."):
            # Only what somebody could miss: .DS_Store and its like are nobody's pictures.
            self.unused += [Unused(place, "hidden")] if is_picture(entry.name) else []
        elif (obstacle := find_obstacle(entry.path)) is None:
            self.pictures.append(place)
        else:
            self.unused.append(Unused(place, obstacle))


def find_runs(folder: Path, subfolders: Iterable[str]) -> set[str]:
    """Return the subfolders that hold a run of discern, or are part of the run that the folder itself holds."""
    parts = RUN_FOLDERS if _holds_run(folder) else ()
    return {name for name in subfolders if name in parts or _holds_run(folder / name)}


def _holds_run(folder: Path) -> bool:
    run, is_file = RunFolder(folder), os.path.isfile  # which is False for what may not be looked at
    return (is_file(run.config) and is_file(run.environment)) or is_file(run.bundle / "bundle.json")


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _identify(folder: str | Path) -> _Identity:
    status = os.stat(folder)  # noqa: PTH116 - making a Path takes longer than asking
    return status.st_dev, status.st_ino


def _identify_with_parents(root: Path) -> frozenset[_Identity]:
    """Return a folder and those around it, so that a link out of it and around it counts as a loop, too."""
    return frozenset(_list_identities((root, *root.resolve().parents)))


def _list_identities(folders: Iterable[Path]) -> Iterator[_Identity]:
    for folder in folders:
        try:
            yield _identify(folder)
        except OSError:
            continue
