"""What a studio's folder has to learn from: folders of classes, heaps of pictures, tables and archives."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from discern.data.sources.archives import is_archive
from discern.data.sources.folder_layout import find_layout
from discern.data.sources.kinds import find_kind
from discern.data.table import natural_sort, parse_split
from discern.errors import DataError
from discern.studio.listing import Listed
from discern.studio.places import Places

_NO_SOURCES = (".json", ".txt", ".lst")
"""Kinds of tables that are notes far more often than labels; the command line takes them."""

_WRITTEN = ("bad_files.csv", "predictions.csv")
"""Tables that commands write, and nobody learns from."""


class FoundSource(BaseModel):
    """A source as the page lists it; `problem` says why a folder of classes cannot be trained on as it is.

    `is_around_runs` says that the classes lie in the studio's own folder, so that runs would lie among the pictures.
    """

    place: str
    kind: Literal["classes", "heap", "table", "archive"]
    pictures: int | None = None
    class_names: list[str] = []
    problem: str | None = None
    is_around_runs: bool = False


def find_sources(top: Listed, places: Places) -> list[FoundSource]:
    """Return the sources in a listing, from which folders that discern has written are left out."""
    return list(_search(top, places))


def _search(folder: Listed, places: Places) -> Iterator[FoundSource]:
    splits = _find_splits(folder)
    whole = _read_as_one(folder, splits, places)
    if whole is not None:
        yield whole
    for name in folder.files:
        path = folder.path / name
        if is_archive(name):
            yield FoundSource(place=places.name(path), kind="archive")
        elif find_kind(path) and name not in _WRITTEN and path.suffix.lower() not in _NO_SOURCES:
            yield FoundSource(place=places.name(path), kind="table")
    # Runs cannot be written into the pictures, but they can beside each of the splits.
    if whole is None or (splits and folder.path == places.root):
        for inner in folder.folders.values():
            yield from _search(inner, places)


def _read_as_one(folder: Listed, splits: list[Listed], places: Places) -> FoundSource | None:
    """Return a folder as one source: of classes if it has splits, or several folders have pictures, or else a heap.

    A folder around one with classes is none.
    """
    filled = [inner for inner in folder.folders.values() if inner.pictures]
    if splits or (_has_classes(folder) and not any(map(_has_classes, folder.walk_below()))):
        return _read_classes(folder, places)
    if folder.pictures and not filled:
        return FoundSource(place=places.name(folder.path), kind="heap", pictures=len(folder.pictures))
    return None


def _find_splits(folder: Listed) -> list[Listed]:
    """Return the folders that are splits; there are none unless there are several, and one has classes."""
    named = [inner for name, inner in folder.folders.items() if parse_split(name) and any(inner.list_pictures())]
    return named if len(named) > 1 and any(map(_has_classes, named)) else []


def _has_classes(folder: Listed) -> bool:
    return sum(bool(inner.pictures) for inner in folder.folders.values()) > 1


def _read_classes(folder: Listed, places: Places) -> FoundSource:
    place, pictures = places.name(folder.path), list(folder.list_pictures())
    found = FoundSource(place=place, kind="classes", pictures=len(pictures), is_around_runs=folder.path == places.root)
    try:
        labels = {one.label for one in find_layout(place, pictures).placed if one.label}
    except DataError as error:
        return found.model_copy(update={"problem": str(error)})
    return found.model_copy(update={"class_names": list(natural_sort(labels))})
