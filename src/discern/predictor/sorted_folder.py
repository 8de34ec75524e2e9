"""A folder with a folder for each class, to which pictures are copied or linked; nothing in it is ever replaced."""

import errno
import filecmp
import logging
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

from discern.counts import count_of
from discern.data.reading.decode import read_file
from discern.data.stored_pictures import find_member, stat_picture
from discern.data.table import ImageTable
from discern.errors import ConfigError, name_some, option
from discern.files import explain_write_error
from discern.leftovers import name_unfinished, remove_leftovers
from discern.predictor.answers import UNKNOWN
from discern.predictor.class_folders import name_class_folders

logger = logging.getLogger("discern")

Link = Literal["hard", "symbolic"]
_SORT_INTO = option("sort_into")
_NUMBERED = re.compile(r"(.+)_[0-9]+")


class SortedFolder:
    """Copies of pictures, or links to them, in a folder for each class and one for those whose class is unknown.

    A picture keeps its file name, with `_2`, `_3` and so on where another picture of its class has that name. A picture
    that is there already is left as it is, so that sorting the same pictures again adds nothing.
    """

    def __init__(self, folder: Path, class_names: Sequence[str], link: Link | None, *, with_unknown: bool) -> None:
        self._folder = folder
        self._link = link
        self._names = name_class_folders(class_names, taken=(UNKNOWN,) if with_unknown else ())
        self._shelves: dict[str, _Shelf] = {}

    def add_all(self, pictures: Iterable[tuple[str, str | None]]) -> None:
        """Add pictures, each a path with its class or None, and log how many there were.

        Raises:
            ConfigError: A hard link cannot reach the disk of the folder.
            WriteError: A file cannot be written.
        """
        added, known, gone = 0, 0, []
        for path, label in pictures:
            try:
                size = stat_picture(path).size_bytes
            except OSError:
                gone.append(path)
                continue
            shelf = self._open_shelf(UNKNOWN if label is None else self._names[label])
            if shelf.holds(path, size):
                known += 1
            else:
                self._place(path, size, shelf)
                added += 1
        verb = "copied" if self._link is None else "linked"
        there = f"; {known} more were there already" if known else ""
        logger.info("%s %s into the folders of %s%s", count_of(added, "picture"), verb, self._folder, there)
        if gone:
            logger.warning("not sorted, since their files are gone: %s", name_some(gone))

    def _open_shelf(self, name: str) -> "_Shelf":
        if name not in self._shelves:
            folder = self._folder / name
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise explain_write_error(error, folder) from error
            self._shelves[name] = _Shelf(folder)
        return self._shelves[name]

    def _place(self, path: str, size: int, shelf: "_Shelf") -> None:
        while True:
            target = shelf.choose_place(path)
            try:
                _put(path, target, self._link)
            except FileExistsError:  # made by somebody else meanwhile
                shelf.note(target.name, size)
                continue
            except OSError as error:
                if error.errno == errno.EXDEV:
                    raise ConfigError(
                        f"hard links reach no other disk, and {path} lies on another one than {self._folder}; give ",
                        option("link", "symbolic"),
                        ", or leave it out to copy",
                    ) from None
                raise explain_write_error(error, target, size_bytes=size) from error
            shelf.note(target.name, size)
            return


class _Shelf:
    """The folder of one class, listed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._by_size: dict[tuple[str, int], list[str]] = {}
        remove_leftovers(folder)
        for entry in os.scandir(folder):
            with suppress(OSError):  # a link to a file that is gone
                self.note(entry.name, entry.stat().st_size)
            self._taken.add(entry.name.casefold())

    def note(self, name: str, size: int) -> None:
        """Remember a file that is there now."""
        self._taken.add(name.casefold())
        for possible in {name, _strip_number(name)}:
            self._by_size.setdefault((possible, size), []).append(name)

    def holds(self, path: str, size: int) -> bool:
        """Return whether a picture is there by its own name, or by that with a number."""
        names = self._by_size.get((Path(path).name, size), [])
        return any(_are_same(path, self._folder / name) for name in names)

    def choose_place(self, path: str) -> Path:
        """Return a path of which no file has the name, in whatever case."""
        picture = Path(path)
        name, number = picture.name, self._numbers.get(picture.name, 1)
        while name.casefold() in self._taken:
            number += 1
            name = f"{picture.stem}_{number}{picture.suffix}"
        self._numbers[picture.name] = number
        return self._folder / name


def check_link(link: str | None, *, sorts: bool) -> Link | None:
    """Return how pictures are linked, None for copies.

    Raises:
        ConfigError: There is no such kind of link, or nothing is sorted.
    """
    if link is not None and not sorts:
        raise ConfigError("links are made in a folder of sorted pictures; give one with ", _SORT_INTO)
    for kind in get_args(Link):
        if link == kind:
            return kind  # type: ignore[no-any-return]
    if link is not None:
        raise ConfigError(f"link is {link!r}; expected hard or symbolic")
    return None


def check_sorted_folder(folder: Path, sources: Iterable[str], table: ImageTable, link: Link | None) -> None:
    """Check before any work that pictures can be sorted into a folder.

    Raises:
        ConfigError: It is a file, lies in a source or has some of the pictures in it, or there are pictures that cannot
            be copied, or linked.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; ", _SORT_INTO, " needs a folder")
    if (table.frame["array_index"] >= 0).any():
        raise ConfigError("pictures in memory are no files that can be copied; leave out ", _SORT_INTO)
    members = {path: member for path in table.frame["path"] if (member := find_member(path)) is not None}
    if link is not None and members:
        raise ConfigError("pictures in shards can be copied, and not linked; leave out ", option("link"))
    place = folder.resolve()
    around = [source for source in sources if Path(source).is_dir() and place.is_relative_to(Path(source).resolve())]
    if around:
        raise ConfigError(
            f"{folder} lies in {around[0]}, so that the next call would classify its copies; give a folder elsewhere "
            "with ", _SORT_INTO,
        )  # fmt: skip
    files = {members[path].tar if path in members else path for path in table.frame["path"]}
    for inner in sorted(set(map(os.path.dirname, files))):
        if Path(inner).resolve().is_relative_to(place):
            raise ConfigError(
                f"pictures to classify lie in {folder}, such as those of {inner or '.'}; give a folder elsewhere with ",
                _SORT_INTO,
            )


def _put(path: str, target: Path, link: Link | None) -> None:
    """Make a copy or a link of a file.

    Raises:
        FileExistsError: There is something at the target.
        OSError: It cannot be made.
    """
    if link == "symbolic":
        target.symlink_to(Path(path).absolute())
    elif link == "hard":
        target.hardlink_to(os.path.realpath(path))
    else:
        _copy(path, target)


def _copy(path: str, target: Path) -> None:
    temporary = name_unfinished(target)
    try:
        if find_member(path) is None:
            shutil.copy2(path, temporary)
        else:
            temporary.write_bytes(read_file(path))
        try:
            target.hardlink_to(temporary)  # which replaces nothing, unlike a change of the name
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links
            if os.path.lexists(target):
                raise FileExistsError(target) from None
            temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


def _are_same(path: str, other: Path) -> bool:
    try:
        if find_member(path) is not None:
            return read_file(path) == other.read_bytes()
        return other.samefile(path) or filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False


def _strip_number(name: str) -> str:
    found = _NUMBERED.fullmatch(Path(name).stem)
    return name if found is None else found[1] + Path(name).suffix
