"""Dropped folders and files, which come part by part and appear in the studio's folder under a new name when whole."""

import os
import re
import secrets
import shutil
import threading
from pathlib import Path, PurePosixPath
from typing import Any

from discern.counts import count_of
from discern.data.sources.archives import is_archive
from discern.data.sources.kinds import find_kind
from discern.data.sources.walk import is_picture
from discern.errors import cut
from discern.files import describe_bytes, explain_write_error, find_free_folder
from discern.serving.refusals import NOT_FOUND, TOO_LARGE, UNSUPPORTED, UNUSABLE, Refusal
from discern.studio.places import HIDDEN, Places, is_good_name

_MAX_BYTES = 32 * 2**30
_MAX_FILES = 200_000
_MAX_DEPTH = 12
_SPARE_BYTES = 2**30
"""What an upload leaves free on the disk."""


class Uploads:
    """Uploads that have begun; each has a hidden folder until it is whole."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._home = places.root / HIDDEN / "uploads"
        self._open: dict[str, _Upload] = {}
        shutil.rmtree(self._home, ignore_errors=True)  # what an earlier studio did not finish

    def begin(self, name: str) -> str:
        """Return the key of a new upload, of a folder or of one file called `name`."""
        if not is_good_name(name):
            raise Refusal(UNUSABLE, f"{cut(name, 80)!r} is no name for a file or folder here; rename it first")
        key = secrets.token_urlsafe(12)
        self._open[key] = _Upload(self._home / key, name)
        return key

    def add(self, key: str, place: str, offset: int, content: bytes) -> bool:
        """Append a part of a file; return whether the file is kept, which those of unknown types are not."""
        return self._find(key).add(place, offset, content)

    def finish(self, key: str) -> dict[str, Any]:
        """Move a whole upload to a new name in the studio's folder; return its place and what was left out."""
        upload = self._find(key)
        found = upload.move_to(self._places)
        del self._open[key]
        return found

    def cancel(self, key: str) -> None:
        """Forget an upload."""
        upload = self._find(key)
        del self._open[key]
        shutil.rmtree(upload.folder, ignore_errors=True)

    def _find(self, key: str) -> "_Upload":
        if key not in self._open:
            raise Refusal(NOT_FOUND, "there is no such upload; the studio was started anew: drop the files again")
        return self._open[key]


class _Upload:
    """The files of one upload so far."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._name = name
        self._bytes = 0
        self._files: set[str] = set()
        self._left_out: set[str] = set()
        self._lock = threading.Lock()
        folder.mkdir(parents=True)

    def add(self, place: str, offset: int, content: bytes) -> bool:
        parts = PurePosixPath(place).parts
        if not 0 < len(parts) <= _MAX_DEPTH or not all(map(is_good_name, parts)):
            self._left_out.add(place)
            return False
        if not _is_source_file(parts[-1]):
            self._left_out.add(place)
            return False
        with self._lock:
            self._check_room(place, len(content))
            path = self.folder.joinpath(*parts)
            try:
                self._append(path, offset, content)
            except OSError as error:
                raise explain_write_error(error, path) from None
            self._bytes += len(content)
            self._files.add(place)
        return True

    def move_to(self, places: Places) -> dict[str, Any]:
        with self._lock:
            if not self._files:
                raise Refusal(UNSUPPORTED, "there were no pictures, tables or archives among these files")
            is_one_file = self._files == {self._name}
            content = self.folder / self._name if is_one_file else self.folder
            target = _find_free(places.root, self._name, is_file=is_one_file)
            os.rename(content, target)  # noqa: PTH104 - it must not go into a folder of that name
            shutil.rmtree(self.folder, ignore_errors=True)
        left_out = count_of(len(self._left_out), "file") if self._left_out else None
        return {"place": places.name(target), "files": len(self._files), "left_out": left_out}

    def _check_room(self, place: str, count: int) -> None:
        if self._bytes + count > _MAX_BYTES or len(self._files | {place}) > _MAX_FILES:
            raise Refusal(
                TOO_LARGE,
                f"at most {_MAX_FILES:,} files and {describe_bytes(_MAX_BYTES)} can be dropped at a time; copy them "
                "into the studio's folder instead",
            )
        free = shutil.disk_usage(self.folder).free
        if free - count < _SPARE_BYTES:
            raise Refusal(TOO_LARGE, f"only {describe_bytes(free)} are free on the disk of the studio's folder")

    def _append(self, path: Path, offset: int, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if path.exists() else "wb") as file:
            if file.seek(0, os.SEEK_END) < offset:
                raise Refusal(UNUSABLE, f"a part of {cut(path.name, 80)!r} is missing; drop the files again")
            file.seek(offset)
            file.truncate()
            file.write(content)


def _is_source_file(name: str) -> bool:
    return is_picture(name) or is_archive(name) or find_kind(Path(name)) is not None


def _find_free(root: Path, name: str, *, is_file: bool) -> Path:
    """Return a new path for an upload: `name`, or with a number before its extension."""
    if not is_file:
        return find_free_folder(root, name)
    stem, extension = re.fullmatch(r"(.+?)((?:\.tar)?\.[^.]+)?", name).groups("")  # type: ignore[union-attr]
    path, number = root / name, 1
    while path.exists():
        number += 1
        path = root / f"{stem}-{number}{extension}"
    return path
