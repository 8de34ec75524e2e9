"""Lists the folders below another one, once for all that is looked for in them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from discern.data.sources.walk import is_picture

_MAX_ENTRIES = 300_000
_MAX_DEPTH = 10


@dataclass
class Listed:
    """A folder: names of its pictures and other files, and the folders in it by name."""

    path: Path
    pictures: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    folders: dict[str, "Listed"] = field(default_factory=dict)

    def list_pictures(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all pictures below it, relative to it, with `/`."""
        yield from (f"{prefix}{name}" for name in self.pictures)
        for name, inner in self.folders.items():
            yield from inner.list_pictures(f"{prefix}{name}/")

    def walk_below(self) -> Iterator["Listed"]:
        """Yield all folders below it."""
        for inner in self.folders.values():
            yield inner
            yield from inner.walk_below()


def list_folder(root: Path, *, max_depth: int = _MAX_DEPTH) -> Listed:
    """List a folder to some depth, and up to a number of entries, without what is hidden and links to folders."""
    top = Listed(root)
    waiting, count = [(top, 0)], 0
    while waiting and count < _MAX_ENTRIES:
        folder, depth = waiting.pop()
        for entry in _scan(folder.path):
            count += 1
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                inner = folder.folders[entry.name] = Listed(folder.path / entry.name)
                if depth < max_depth:
                    waiting.append((inner, depth + 1))
            elif is_picture(entry.name):
                folder.pictures.append(entry.name)
            elif entry.is_file():
                folder.files.append(entry.name)
    return top


def _scan(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
