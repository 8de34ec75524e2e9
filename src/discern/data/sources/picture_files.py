"""From the names of pictures in a table to files, also where the names were written on another machine."""

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from discern.data.names import name_key
from discern.data.reading.supported_types import supported_extensions
from discern.data.table import join_all
from discern.errors import Advice, DataError, cut, data_setting, list_some, name_some

logger = logging.getLogger("discern")

_DRIVE = re.compile(r"[A-Za-z]:/")
_ADDRESS = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://|https?:/|data:image/", re.IGNORECASE)
_MAX_SEARCHED = 20_000
"""How many files are looked at to find the folder that names start from, for an advice."""


def find_files(names: Sequence[str], root: Path, suffix: str, source: str) -> list[str]:
    r"""Return the path of each picture below `root`; a file that is missing keeps the path that its name says.

    A name without extension is looked up in its folder. A name that is not there as it is written may differ from the
    file in the Unicode form, in case, in the separator of folders, by zeros before a number, which spreadsheets drop
    (`7` for `007.png`), or by a beginning that this machine does not have: `/kaggle/input/birds/red/1.png` or
    `C:\birds\red\1.png` for `red/1.png`. What was changed is said in the log.
    `~/` is the user's home folder, and `file://` before a path does not count.

    Raises:
        DataError: Not one of the files exists, a name fits several, or names are addresses on the web.
    """
    _check_no_addresses(names, source)
    written = [_expand(f"{name}{suffix}") for name in names]
    paths = join_all(root, written)
    search = _Search(root)
    missing = [row for row, path in enumerate(paths) if not _replace(paths, row, search.find_as_written(path))]
    left = [row for row in missing if not _replace(paths, row, search.find_otherwise(written[row]))]
    none_found = len(left) == len(paths)
    foreign = left if none_found else [row for row in left if _is_absolute(written[row])]
    by_end = [row for row in foreign if _replace(paths, row, search.find_by_end(written[row]))]
    if search.ambiguous:
        raise DataError(
            f"{source}: names that fit several files:\n{list_some(list(dict.fromkeys(search.ambiguous)))}\n"
            "Write the extension, or give it with ",
            data_setting("image_suffix"),
            "; of names that differ in case or accents, write the one on the disk.",
        )
    if none_found and not by_end:
        raise DataError(*_describe_none(written[0], paths, root, source))
    changed = sorted(set(missing) - set(left))
    if changed:
        examples = name_some([f"{written[row]!r} ({paths[row]})" for row in changed], shown=1)
        logger.info("%s: %d names are written otherwise on the disk: %s", source, len(changed), examples)
    for beginning, count in search.dropped.most_common(3):
        logger.info("%s: %d names begin with %s, which is not here; found below %s", source, count, beginning, root)
    return paths


def _replace(paths: list[str], row: int, found: str | None) -> bool:
    paths[row] = found or paths[row]
    return found is not None


def _expand(name: str) -> str:
    if name.startswith("~/"):
        return os.path.expanduser(name)  # noqa: PTH111 - a Path takes longer
    return name.removeprefix("file://") if name.startswith("file:///") else name


def _check_no_addresses(names: Sequence[str], source: str) -> None:
    addresses = [name for name in names if _ADDRESS.match(name)]
    if addresses:
        raise DataError(
            f"{source}: {len(addresses)} of {len(names)} names are addresses such as https://, and no names of files:\n"
            f"{list_some([cut(name) for name in addresses])}\n"
            "Download these pictures, and write the names of the files."
        )


def _is_absolute(name: str) -> bool:
    key = name_key(name)
    return key.startswith("/") or _DRIVE.match(key) is not None


class _Folder:
    """The names in a folder, listed once."""

    def __init__(self, folder: str) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self._by_form: dict[Callable[[str], str], dict[str, list[str]]] = {}
        try:
            with os.scandir(folder or ".") as entries:
                for entry in entries:
                    (self.folders if entry.is_dir() else self.files).add(entry.name)
        except (OSError, ValueError):
            return

    def find(self, key: str, form: Callable[[str], str], *, folders: bool = False) -> list[str]:
        """Return the names of files, or of folders, whose form is `key`."""
        names = self.folders if folders else self.files
        if form not in self._by_form:
            by_form: dict[str, list[str]] = {}
            for each in sorted((*self.files, *self.folders)):
                by_form.setdefault(form(each), []).append(each)
            self._by_form[form] = by_form
        return [each for each in self._by_form[form].get(key, ()) if each in names]


class _Search:
    """Looks for pictures below a root, and lists each folder once.

    `ambiguous` are names that fit several files; `dropped` counts the beginnings that were left out.
    """

    def __init__(self, root: Path) -> None:
        self.ambiguous: list[str] = []
        self.dropped: Counter[str] = Counter()
        self._root = str(root)
        self._folders: dict[str, _Folder] = {}
        self._here: dict[str, bool] = {}
        self._extensions = supported_extensions()

    def find_as_written(self, path: str) -> str | None:
        """Return the file at a path, or the one that the path lacks only the extension of."""
        folder, file = os.path.split(path)
        listed = self._list(folder)
        if file in listed.files:
            return path
        if not file or file.lower().endswith(self._extensions):
            return None
        found = self._only(listed.find(name_key(file), _stem), file)
        return path.removesuffix(file) + found if found else None

    def find_otherwise(self, name: str) -> str | None:
        """Return the file whose name differs in the form of its letters, in case or in the separator of folders."""
        start = "/" if name_key(name).startswith("/") else self._root
        return self._walk(start, _split(name), name)

    def find_by_end(self, name: str) -> str | None:
        """Return the file below the root at the longest end of a name, whose own folder does not exist."""
        parts = _split(name)
        beginnings = ["/" * name_key(name).startswith("/") + "/".join(parts[:end]) for end in range(1, len(parts))]
        if not beginnings or self._is_here(beginnings[-1]):
            return None
        # A beginning that other names have is tried first, since looking up a million of them takes a while.
        for beginning in sorted(beginnings, key=lambda beginning: -self.dropped[beginning]):
            found = self._walk(self._root, parts[beginnings.index(beginning) + 1 :], name)
            if found is not None:
                self.dropped[beginning] += 1
                return found
        return None

    def _is_here(self, folder: str) -> bool:
        if folder not in self._here:
            self._here[folder] = Path(self._root, folder).is_dir()
        return self._here[folder]

    def _walk(self, folder: str, parts: Sequence[str], name: str) -> str | None:
        """Return the file at the end of a way, whose parts may be written otherwise."""
        for part in parts[:-1]:
            listed = self._list(folder)
            if part != ".." and part not in listed.folders:
                similar = listed.find(part, name_key, folders=True) or listed.find(_fold(part), _fold, folders=True)
                found = self._only(similar, name)
                if found is None:
                    return None
                part = found
            folder = os.path.join(folder, part)  # noqa: PTH118
        if not parts:
            return None
        as_written = self.find_as_written(os.path.join(folder, parts[-1]))  # noqa: PTH118
        if as_written is not None:
            return as_written
        listed, folded = self._list(folder), _fold(parts[-1])
        similar = listed.find(parts[-1], name_key) or listed.find(folded, _fold) or listed.find(folded, _fold_stem)
        if not similar and (number := _drop_zeros(parts[-1])) == _fold_stem(parts[-1]):
            similar = listed.find(number, _drop_zeros)
        file = self._only(similar, name)
        return os.path.join(folder, file) if file else None  # noqa: PTH118 - a Path takes longer

    def _only(self, found: Sequence[str], name: str) -> str | None:
        if len(found) > 1:
            self.ambiguous.append(f"{name}: {name_some(found)}")
        return found[0] if len(found) == 1 else None

    def _list(self, folder: str) -> _Folder:
        if folder not in self._folders:
            self._folders[folder] = _Folder(folder)
        return self._folders[folder]


def _split(name: str) -> list[str]:
    return [part for part in name_key(name).split("/") if part not in ("", ".")]


def _stem(name: str) -> str:
    return name_key(name.rpartition(".")[0] or name)


def _fold(name: str) -> str:
    return name_key(name).casefold()


def _fold_stem(name: str) -> str:
    return _stem(name).casefold()


def _drop_zeros(name: str) -> str:
    """Return the name of a file that is a number without extension and zeros before it; otherwise as it is."""
    stem = _fold_stem(name)
    return stem.lstrip("0") or "0" if stem.isdecimal() else name


def _describe_none(name: str, paths: Sequence[str], root: Path, source: str) -> Advice:
    """Return what to say where no picture is there: the folder that the names start from, if it is near."""
    said = f"{source}: none of its {len(paths)} pictures is there; the first one was looked for at {paths[0]}."
    found = _find_root(name, root)
    if found is not None:
        return (f"{said} The first one lies below {found}: give ", data_setting("image_root", str(found)), ".")
    return (
        f"{said} Give the folder that the names start from with ",
        data_setting("image_root"),
        ", and what they lack at the end with ",
        data_setting("image_suffix"),
        ".",
    )


def _find_root(name: str, root: Path) -> Path | None:
    """Return the folder near the root from which a picture is found by its name or the longest end of it."""
    ends = [_split(name)[start:] for start in range(len(_split(name)))]
    searched, best, best_length = 0, None, 0
    for folder, _, files in os.walk(root if root.is_dir() else root.parent):
        searched += len(files) + 1
        place = [name_key(part) for part in Path(folder).parts]
        for end in ends if any(name_key(file) == ends[-1][-1] or _stem(file) == ends[-1][-1] for file in files) else ():
            above = end[:-1]
            if len(end) > best_length and place[len(place) - len(above) :] == above:
                best, best_length = Path(*Path(folder).parts[: len(place) - len(above)]), len(end)
        if searched > _MAX_SEARCHED:
            break
    return best
