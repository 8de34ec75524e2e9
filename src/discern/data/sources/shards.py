"""Tar shards as WebDataset has them: `000123.jpg` beside `000123.cls`, in many tar files of one kind.

Every shard is listed once; then its pictures are read where they lie, in any order, as files are.
"""

import glob
import json
import logging
import os
import re
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path, PurePosixPath

from discern.counts import count_of
from discern.data.cache.home import build_cache
from discern.data.sources.shard_index import Sample, holds_samples, list_samples_of
from discern.data.sources.walk import Unused, sum_up
from discern.data.stored_pictures import Member, is_remote
from discern.data.table import ImageTable, build_table, natural_sort, parse_split
from discern.errors import Advice, DataError, data_setting, list_some, name_some

logger = logging.getLogger("discern")

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]+)\.\.([0-9]+)")
_JSON_KEYS = ("json.label", "json.class", "json.cls", "json.class_name", "json.category")
_NAMES_FILES = ("classes.json", "classes.txt")
_NAME_LABELS = data_setting("label_column", "NAME")
_FIRST_WORD = re.compile(r"[A-Za-z]+")


def find_shards(place: object) -> list[str] | None:
    """Return the shards that a place means, None where it means something else.

    That is a pattern with braces, such as `train-{000..999}.tar` or `{train,val}-{00..31}.tar`, one with `*`, an
    address that fsspec reads, or a single tar file in which a label lies beside the first picture.
    """
    if not isinstance(place, str | Path) or not str(place).endswith(".tar"):
        return None
    name = str(place)
    if is_remote(name) or _BRACES.search(name):
        return list(_expand(name))
    if os.path.isfile(name):  # noqa: PTH113 - a name that is too long is no error
        return [name] if holds_samples(Path(name)) else None
    found = natural_sort(glob.glob(name))  # noqa: PTH207 - the pattern may be absolute
    return list(found) if found and holds_samples(Path(found[0])) else None


def load_shards(shards: Sequence[str], source: str, *, label_column: str | None, labelled: bool) -> ImageTable:
    """Load the pictures of shards; an id is the name in the shard after that of the shard, `train-007/000123.jpg`.

    A label is the text of the file `.cls`, a value of the object in `.json`, or the text of the file `.txt`. A number
    is the place of a class in `classes.json` or `classes.txt` beside the shards, if there is one. Where shards are
    named for different splits, such as `train-000.tar` and `val-000.tar`, these are the splits.

    Args:
        shards: Paths or addresses.
        source: What messages call them.
        label_column: The key in `.json`, or `cls` or `txt`; guessed by default.
        labelled: Whether each picture has to have a label.

    Raises:
        DataError: Shards are missing or cannot be read, there are no pictures, or labels are missing or not understood.
    """
    _check_there(shards, source)
    cache, names, splits = build_cache(), _name_shards(shards), _find_splits(shards)
    found = _Found(("cls", *_JSON_KEYS, "txt") if label_column is None else (label_column, f"json.{label_column}"))
    for shard in shards:
        found.add(_absolute(shard), names[shard], splits.get(shard), list_samples_of(_absolute(shard), cache))
    if not found.ids:
        raise DataError(f"{source}: no pictures in {count_of(len(shards), 'shard')}; expected files such as 000.jpg")
    if labelled:
        found.check_labels(source, label_column)
    logger.info("%s: %d pictures in %s", source, len(found.ids), count_of(len(shards), "shard"))
    return build_table(
        {
            "id": found.ids,
            "path": found.paths,
            "label": _name_classes(found.labels, shards[0], source),
            "split": found.splits,
        },
        source=source,
        ignored=sum_up(found.unused),
    )


class _Found:
    """The pictures of all shards so far, and what is beside them; labels are of the first of `kinds` that is there."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.ids: list[str] = []
        self.paths: list[str] = []
        self.labels: list[str | None] = []
        self.splits: list[str | None] = []
        self.unused: list[Unused] = []
        self._kinds = kinds
        self._used: set[str] = set()
        self._there: set[str] = set()

    def add(self, shard: str, name: str, split: str | None, samples: Sequence[Sample]) -> None:
        for sample in samples:
            if not sample.name:
                self.unused.append(Unused(f"{name}/{sample.key}", "no picture beside its label"))
                continue
            kind = next((kind for kind in self._kinds if sample.labels.get(kind)), None)
            self._there.update(sample.labels)
            self._used.update(() if kind is None else (kind,))
            self.ids.append(f"{name}/{sample.name}")
            self.paths.append(Member(shard, sample.start, sample.size_bytes, sample.name).path)
            self.labels.append(None if kind is None else sample.labels[kind])
            self.splits.append(split)

    def check_labels(self, source: str, label_column: str | None) -> None:
        """Raise where pictures have no label, or have them from several places."""
        without = [name for name, label in zip(self.ids, self.labels, strict=True) if label is None]
        if without:
            raise DataError(
                f"{source}: {len(without)} of {len(self.ids)} pictures have no label:\n{list_some(without)}\n",
                *self._advise(label_column),
            )
        if len(self._used) > 1:
            raise DataError(
                f"{source}: labels are in {name_some(sorted(self._used))}. Say which to use: ",
                _NAME_LABELS,
                ".",
            )

    def _advise(self, label_column: str | None) -> Advice:
        keys = sorted({kind.removeprefix("json.") for kind in self._there})
        if not keys:
            return ("Expected a file .cls, .json or .txt of the same name beside each.",)
        given = "" if label_column is None else f" {label_column!r} is not in all of them;"
        return (f"Beside the pictures there is{given} {name_some(keys)}. Say what holds the class: ", _NAME_LABELS, ".")


def _expand(pattern: str) -> Iterator[str]:
    """Yield the names that a pattern with braces means, as a shell does."""
    parts = _BRACES.split(pattern)
    choices = [[part] if place % 2 == 0 else _list_choices(part) for place, part in enumerate(parts)]
    return map("".join, product(*choices))


def _list_choices(inside: str) -> list[str]:
    found = _RANGE.fullmatch(inside)
    if found is None:
        return inside.split(",")
    first, last = found.groups()
    step = 1 if int(first) <= int(last) else -1
    width = max(len(first), len(last)) if first.startswith("0") or last.startswith("0") else 0
    return [f"{number:0{width}}" for number in range(int(first), int(last) + step, step)]


def _check_there(shards: Sequence[str], source: str) -> None:
    missing = [shard for shard in shards if not _exists(shard)]
    if missing:
        raise DataError(
            f"{source}: {len(missing)} of {count_of(len(shards), 'shard')} cannot be found:\n{list_some(missing)}\n"
            "Copy them there, or give a pattern of those that exist"
        )


def _exists(shard: str) -> bool:
    if not is_remote(shard):
        return os.path.isfile(shard)  # noqa: PTH113 - a name that is too long is no error
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(shard)
    except (ImportError, ValueError) as error:
        raise DataError(f"{shard} cannot be read: {error}") from None
    return bool(files.exists(path))


def _absolute(shard: str) -> str:
    return shard if is_remote(shard) else str(Path(shard).absolute())


def _name_shards(shards: Sequence[str]) -> dict[str, str]:
    """Return what ids call each shard: its path below the folder that all are in, without extension."""
    folders = [PurePosixPath(Path(shard).as_posix()).parent for shard in shards]
    common = os.path.commonpath(folders) if len(set(folders)) > 1 else folders[0]
    return {
        shard: PurePosixPath(Path(shard).as_posix()).relative_to(common).as_posix()[: -len(".tar")] for shard in shards
    }


def _find_splits(shards: Sequence[str]) -> dict[str, str | None]:
    """Return the split of each shard by the first word of its name, where there are several; else nothing."""
    words = {shard: _FIRST_WORD.match(Path(shard).name) for shard in shards}
    splits = {shard: None if word is None else parse_split(word[0]) for shard, word in words.items()}
    return splits if None not in splits.values() and len(set(splits.values())) > 1 else {}


def _name_classes(labels: Sequence[str | None], shard: str, source: str) -> list[str | None]:
    """Return labels with the names of classes for numbers, where a file beside the shards has them."""
    class_names = None if is_remote(shard) else _load_class_names(Path(shard).parent)
    if class_names is None:
        return list(labels)
    unknown = sorted({label for label in labels if label is not None and label not in class_names})
    known = set(class_names.values())
    if any(label not in known for label in unknown):
        raise DataError(
            f"{source}: labels that are no place among the {len(class_names)} classes of the file beside the shards: "
            f"{name_some(unknown)}"
        )
    return [label if label is None else class_names.get(label, label) for label in labels]


def _load_class_names(folder: Path) -> dict[str, str] | None:
    """Return the class of each number, from a list of names, or an object that maps names and numbers either way."""
    file = next((folder / name for name in _NAMES_FILES if (folder / name).is_file()), None)
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8-sig")
        found = json.loads(text) if file.suffix == ".json" else text.splitlines()
    except ValueError:
        found = None
    if isinstance(found, list):
        return {str(number): str(name).strip() for number, name in enumerate(found)}
    if isinstance(found, dict) and found:
        are_numbers = all(key.isdigit() for key in found)
        return {str(key if are_numbers else value): str(value if are_numbers else key) for key, value in found.items()}
    raise DataError(f"{file} is not understood; expected a list of class names, or one name a line in classes.txt")
