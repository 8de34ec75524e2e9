"""The one table that every source of pictures becomes: a row per picture, classes by name."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.picture_arrays import LazyPictures, PictureArrays, hash_picture, name_picture
from discern.data.stored_pictures import is_remote, stat_picture
from discern.errors import BadImageError, DataError, list_some, name_some

SPLITS = ("train", "validation", "test")
TEXT_COLUMNS = ("id", "path", "label", "split", "group", "own_id")

_SPLIT_WORDS = {
    "train": ("train", "training", "trn", "trainval"),
    "validation": (
        "val", "valid", "validation", "validate", "dev", "devel", "development", "eval", "evaluation", "publictest",
    ),
    "test": ("test", "testing", "tst", "holdout", "heldout", "privatetest"),
}  # fmt: skip
_SPLIT_BY_WORD = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
_AFTER_SPLIT = re.compile(r"(set|split|data|images?|pictures?|photos?|samples?|(19|20)[0-9]{2}|1)$")

_ESCAPE = re.compile(r"\\ud[89a-f][0-9a-f]{2}")


@dataclass(frozen=True, eq=False)
class ImageTable:
    r"""Pictures with what is known about each; a row is a picture.

    `frame` has a RangeIndex and the columns `id` (unique), `path` ("" for a picture in memory), `label`, `split` and
    `group` (all three missing where unknown), `own_id` (what the user's table calls the picture beside its file name;
    unique, or missing in all rows) and `array_index` (int64; -1 for a file), the place in `arrays`.
    `arrays` gives the pictures that are no files, RGB or of more than 8 bits as they are stored, and is shared by all
    tables taken from this one.
    `class_names` is in natural order (1, 2, 10), and empty when nothing is labelled.
    `source` and `ignored` (files that are not used, with the reason) are for messages.
    `depth_range` are the values that become black and white in pictures of more than 8 bits; None for the usual rule.
    All text is valid: what is not UTF-8 in a file name is escaped, as in `caf\udce9.jpg`.
    """

    frame: pd.DataFrame
    class_names: tuple[str, ...]
    arrays: PictureArrays | None
    source: str
    ignored: tuple[str, ...] = ()
    depth_range: tuple[float, float] | None = None

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def is_in_memory(self) -> bool:
        """Whether pictures lie in memory, so that reading them again costs nothing."""
        return self.arrays is not None and not isinstance(self.arrays, LazyPictures)

    def list_names(self) -> list[str]:
        """Return what each picture is called in messages: the path of a file, or `picture 17 in memory`."""
        columns = (self.frame[name].tolist() for name in ("path", "array_index"))
        return [name_picture(index) if index >= 0 else path for path, index in zip(*columns, strict=True)]

    def targets(self) -> npt.NDArray[np.int64]:
        """Return class indices (N,), -1 for unlabelled pictures.

        Raises:
            DataError: A label is none of `class_names`.
        """
        labels = self.frame["label"]
        targets = pd.Index(self.class_names, dtype="str").get_indexer(pd.Index(labels)).astype(np.int64)
        unknown = labels[(targets < 0) & labels.notna().to_numpy()]
        if len(unknown):
            raise DataError(
                f"{self.source}: labels that are none of its classes: {name_some(sorted(unknown.unique()))}"
            )
        return targets

    def select(self, split: str) -> "ImageTable":
        """Return the rows of one split."""
        return self.take(np.flatnonzero((self.frame["split"] == split).to_numpy()))

    def take(self, rows: npt.NDArray[np.int64]) -> "ImageTable":
        """Return the rows at these positions, in this order; classes stay as they are."""
        return replace(self, frame=self.frame.iloc[rows].reset_index(drop=True))

    def find_rows(self, part: "ImageTable") -> npt.NDArray[np.int64]:
        """Return the position here of each row of a table that was taken from this one."""
        rows = pd.Index(self.frame["id"]).get_indexer(pd.Index(part.frame["id"]))
        return np.asarray(rows, dtype=np.int64)

    def fingerprint(self) -> str:
        """Return a hash of ids, labels, splits and file sizes (pixels for arrays), whatever the order of rows."""
        frame = self.frame.sort_values("id")
        columns = (frame[name].fillna("").tolist() for name in ("id", "label", "split"))
        contents = map(self._content_mark, frame["path"].tolist(), frame["array_index"].tolist())
        digest = hashlib.sha256()
        for place, row in enumerate(zip(*columns, contents, strict=True)):
            digest.update(("\n" * (place > 0) + "\0".join(row)).encode())
        return digest.hexdigest()

    def _content_mark(self, path: str, array_index: int) -> str:
        if self.arrays is not None and array_index >= 0:
            try:
                return hash_picture(self.arrays, array_index).hex()
            except BadImageError:
                return "unreadable"
        try:
            return str(stat_picture(path).size_bytes)
        except (OSError, ValueError):
            return "missing"


def build_table(
    columns: Mapping[str, Iterable[str | None]],
    *,
    source: str,
    arrays: PictureArrays | None = None,
    array_index: npt.NDArray[np.int64] | None = None,
    ignored: Sequence[str] = (),
) -> ImageTable:
    """Build a table from its text columns; `id` is required, the others are missing unless given.

    Raises:
        DataError: An id occurs twice.
    """
    ids = _to_text(columns["id"])
    check_unique(ids, f"{source}: the same id")
    empty = {name: repeat("" if name == "path" else None, len(ids)) for name in TEXT_COLUMNS}
    texts = {name: _to_text(columns.get(name, empty[name])) for name in TEXT_COLUMNS[1:]}
    frame = pd.DataFrame({"id": ids, **texts}, copy=False)
    frame["array_index"] = np.full(len(ids), -1, dtype=np.int64) if array_index is None else array_index
    notes = tuple(map(escape, ignored))
    return ImageTable(frame, natural_sort(frame["label"].dropna().unique()), arrays, source, notes)


def _to_text(cells: Iterable[str | None]) -> "pd.Series[str]":
    return pd.Series([escape(cell) if isinstance(cell, str) else None for cell in cells], dtype="str")


def parse_split(name: str) -> str | None:
    """Return the split that a user's name for it means (`val`, `Training set`, `hold-out`, `val2017`...), or None."""
    word = re.sub(r"[\W_]+", "", name).casefold()
    return _SPLIT_BY_WORD.get(word) or _SPLIT_BY_WORD.get(_AFTER_SPLIT.sub("", word))


def escape(text: str) -> str:
    r"""Return valid text: lone surrogates, which stand for undecodable bytes, become the text `\udc80` to `\udcff`."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def holds_escape(path: str) -> bool:
    """Return whether a path of a table stands for a file name that is not valid UTF-8."""
    return _ESCAPE.search(path) is not None


def join_all(root: Path, names: Sequence[str]) -> list[str]:
    """Return `str(root / name)` for each name, and an address as it is.

    One Path is made for each folder, since a million of them take seconds.
    """

    @cache
    def start(folder: str) -> str:
        return str(root / folder / "x")[:-1]

    split = ((name, *os.path.split(name)) for name in names)
    return [
        name if is_remote(name) else str(root / name) if file in ("", ".") else start(folder) + file
        for name, folder, file in split
    ]


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a sort key under which numbers inside names count as numbers: 1, 2, 10; case matters last."""
    parts = re.split(r"([0-9]+)", name)
    return tuple(int(part) if place % 2 else part.casefold() for place, part in enumerate(parts)), name


def natural_sort(names: Iterable[str]) -> tuple[str, ...]:
    """Return names in natural order."""
    return tuple(sorted(names, key=natural_key))


def check_unique(names: "pd.Series[str]", what: str) -> None:
    """Check that each picture is there once.

    Raises:
        DataError: Names occur more than once; all are listed.
    """
    repeated = [f"{name}: {count} times" for name, count in Counter(names[names.duplicated(keep=False)]).items()]
    if repeated:
        raise DataError(
            f"{what} occurs more than once:\n{list_some(repeated)}\n"
            "Each picture may have one row only: remove the repeated rows."
        )
