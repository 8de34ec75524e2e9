"""Pictures to predict or evaluate, in whatever form they come."""

import glob
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from io import IOBase
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from discern.counts import count_of
from discern.data.picture_arrays import PictureArrays, join_arrays, name_picture
from discern.data.reading.decode import read_pixels
from discern.data.reading.deep_pixels import DepthRange
from discern.data.reading.depth import warn_of_unscaled
from discern.data.sources.archives import find_archive
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.csv_file import load_frame
from discern.data.sources.kinds import find_kind, is_there, list_tables, open_place
from discern.data.sources.pixels import check_picture, split_array
from discern.data.sources.seen_files import SeenFiles
from discern.data.sources.shards import find_shards, load_shards
from discern.data.sources.torch_dataset import load_dataset
from discern.data.sources.unpacked import naming_as_given
from discern.data.sources.walk import Unused, describe_no_pictures, find_obstacle, sum_up, walk_folder
from discern.data.table import ImageTable, build_table, natural_sort
from discern.errors import DataError, list_some, name_some

_EXPECTED = "paths, DataFrames, NumPy arrays, PIL pictures or torch datasets"
# `Path` makes one slash of two.
_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):/{1,2}(?:localhost(?=/))?")
_INPUT_TYPES = (str, Path, pd.DataFrame, Image.Image, np.ndarray, Dataset)
_LINES: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (Tensor, "tensor.numpy() makes an array of a tensor."),
    ((bytes, bytearray), "PIL.Image.open(io.BytesIO(content)) makes a picture of the bytes of a file."),
    (IOBase, "PIL.Image.open(file) makes a picture of an open file."),
    (memoryview, "np.asarray(view) makes an array of a memoryview."),
)
"""What makes an input of something else."""
Input = str | Path | pd.DataFrame | Image.Image | npt.NDArray[np.generic] | Dataset[Any]

logger = logging.getLogger("discern")


def load_inputs(
    inputs: Sequence[Input] | Input,
    columns: ColumnSettings | None = None,
    *,
    depth_range: DepthRange | None = None,
    each_once: bool = False,
) -> ImageTable:
    """Gather pictures from files, folders, archives, globs, tables, DataFrames, arrays, PIL pictures and datasets.

    Inputs keep their order; inside a folder or glob it is natural. An id is a file's name, its path below the folder
    that was given, the name in the CSV, or the place among the pictures in memory. Ids that are equal become the whole
    path, and `#2`, `#3`... is added where one picture is given more than once. With `each_once`, a file that is given
    more than once, such as by its folder and by its name, has one row, at its first place, with what tables say of it;
    a link to a file under another name is a picture of its own. Labels are kept where a CSV, DataFrame, .npz or dataset
    has them. An array is one picture or many, as `split_array` takes it; an array in a list is one picture. A folder is
    searched at any depth; a dataset is as `load_dataset` takes it. `depth_range` is that of the classifier's
    preprocessing.

    Raises:
        DataError: An input is missing or of a form that is not understood, or there are no pictures.
    """
    listed = [_expand_home(item) for item in list_inputs(inputs)]
    if not listed:
        raise DataError(f"no inputs were given; expected {_EXPECTED}.")
    _check_understood([item for item in listed if find_shards(item) is None])
    gathered = _Gathered(columns or ColumnSettings(), each_once=each_once)
    for item in listed:
        gathered.add(item)
    table = gathered.to_table(", ".join(_describe(item) for item in listed[:3]) + (", ..." if len(listed) > 3 else ""))
    if depth_range is None:
        warn_of_unscaled(table)
    return replace(table, depth_range=depth_range)


def list_inputs(inputs: object) -> list[Any]:
    """Return the inputs one by one: an array as its pictures, and any other container as its elements.

    Raises:
        DataError: It is neither an input nor a container of some, or an array of another shape.
    """
    if isinstance(inputs, np.ndarray):
        holds_objects = inputs.dtype.kind in "OSU"
        return inputs.reshape(-1).tolist() if holds_objects and inputs.ndim < 3 else split_array(inputs)
    if isinstance(inputs, _INPUT_TYPES):
        return [inputs]
    is_single = isinstance(inputs, Mapping | set | frozenset | bytes | bytearray | memoryview | IOBase | Tensor)
    if is_single or not isinstance(inputs, Iterable):
        raise DataError(_describe_odd([inputs]))
    return list(inputs)


def check_types(inputs: Sequence[object]) -> None:
    """Check that each element is an input.

    Raises:
        DataError: Some are of another type; the error has the line that makes a picture of it, where one does.
    """
    odd = [item for item in inputs if not isinstance(item, _INPUT_TYPES)]
    if odd:
        raise DataError(_describe_odd(odd))


def log_ignored(table: ImageTable) -> None:
    """Log the files that are not used, with the reasons."""
    for note in table.ignored:
        logger.info("not used: %s", note)


class _Gathered:
    """Pictures so far, a row each."""

    def __init__(self, columns: ColumnSettings, *, each_once: bool) -> None:
        self.columns = columns
        self.seen = SeenFiles() if each_once else None
        self.ids: list[str] = []
        self.own_ids: list[str | None] = []
        self.whole_names: list[str] = []
        self.paths: list[str] = []
        self.labels: list[str | None] = []
        self.array_index: list[int] = []
        self.arrays: list[PictureArrays] = []
        self.num_arrays = 0
        self.ignored: list[str] = []
        self.unused: list[Unused] = []

    def add(self, item: Input) -> None:
        if (shards := find_shards(item)) is not None:
            column = self.columns.label_column
            self._add_table(load_shards(shards, str(item), label_column=column, labelled=False))
        elif isinstance(item, str | Path):
            self._add_place(Path(item))
        elif isinstance(item, pd.DataFrame):
            self._add_table(load_frame(item, self.columns, folder=Path(), source="the DataFrame", labelled=False))
        elif isinstance(item, Dataset):
            self._add_table(load_dataset(item, labelled=False))
        elif isinstance(item, np.ndarray):
            self._add_picture(check_picture(item))
        else:
            self._add_picture(item)

    def to_table(self, source: str) -> ImageTable:
        ignored = self.ignored + sum_up(self.unused)
        if self.seen is not None and self.seen.num_repeated:
            logger.info("given more than once, and used once: %s", count_of(self.seen.num_repeated, "file"))
        if not self.ids:
            raise DataError(describe_no_pictures(source, ignored))
        return build_table(
            {
                "id": _make_unique(self.ids, self.whole_names),
                "path": self.paths,
                "label": self.labels,
                "own_id": self._list_own_ids(),
            },
            arrays=join_arrays(self.arrays),
            array_index=np.array(self.array_index, dtype=np.int64),
            source=source,
            ignored=ignored,
        )

    def _list_own_ids(self) -> list[str | None]:
        """Return the ids that the user's tables give, none where two tables give the same."""
        given = [name for name in self.own_ids if name is not None]
        return self.own_ids if len(set(given)) == len(given) else [None] * len(self.own_ids)

    def _add_place(self, place: Path) -> None:
        opened = open_place(place)
        if not is_there(opened):
            for match in natural_sort(glob.glob(str(place), recursive=True)):  # noqa: PTH207 - the pattern may be absolute
                self._add_match(Path(match))
            return
        with naming_as_given(place, opened):
            if opened.is_dir():
                self._add_folder(opened, may_hold_tables=find_archive(place) is not None)
            else:
                self._add_file(opened)

    def _add_file(self, file: Path) -> None:
        kind = find_kind(file)
        if kind is None:
            self._add_row(file.name, str(file))
        elif self.seen is None or self.seen.find_row(str(file), len(self.ids)) == len(self.ids):
            self._add_table(kind.load(file, self.columns, False))

    def _add_match(self, match: Path) -> None:
        if match.is_dir():
            self._add_folder(match, may_hold_tables=False)
        elif (obstacle := find_obstacle(match)) is None:
            self._add_row(match.name, str(match))
        else:
            self.unused.append(Unused(str(match), obstacle))

    def _add_folder(self, folder: Path, *, may_hold_tables: bool) -> None:
        """Add the pictures in a folder; where there are none and it `may_hold_tables`, those that its tables list."""
        found = walk_folder(folder)
        tables = list_tables(folder) if may_hold_tables and not found.pictures else []
        for table in tables:
            self._add_file(table)
        self.unused += [] if tables else found.unused
        for name in found.pictures:
            self._add_row(name, str(folder / name))

    def _add_table(self, table: ImageTable) -> None:
        start = self.num_arrays
        if table.arrays is not None:
            self._add_arrays(table.arrays)
        self.ignored += table.ignored
        texts = (table.frame[name].astype("object") for name in ("id", "path", "label", "own_id"))
        columns = (cells.where(cells.notna(), None) for cells in texts)
        for name, path, label, own_id, index in zip(*columns, table.frame["array_index"], strict=True):
            place = start + index if index >= 0 else -1
            self._add_row(name, path, label=label, own_id=own_id, array_index=place)

    def _add_picture(self, picture: Image.Image | npt.NDArray[np.generic]) -> None:
        index = self.num_arrays
        self._add_arrays((read_pixels(picture, name=name_picture(index)),))
        self._add_row(str(index), "", array_index=index)

    def _add_arrays(self, arrays: PictureArrays) -> None:
        self.arrays.append(arrays)
        self.num_arrays += len(arrays)

    def _add_row(
        self, name: str, path: str, *, label: str | None = None, own_id: str | None = None, array_index: int = -1
    ) -> None:
        row = len(self.ids)
        first = self.seen.find_row(path, row) if self.seen is not None and path else row
        if first < row:
            self.labels[first] = self.labels[first] or label
            self.own_ids[first] = self.own_ids[first] or own_id
            return
        self.ids.append(name)
        self.own_ids.append(own_id)
        self.whole_names.append(Path(path).as_posix() if path else name)
        self.paths.append(path)
        self.labels.append(label)
        self.array_index.append(array_index)


def _make_unique(ids: Sequence[str], whole_names: Sequence[str]) -> list[str]:
    counts = Counter(ids)
    names = [whole if counts[name] > 1 else name for name, whole in zip(ids, whole_names, strict=True)]
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


def _check_understood(inputs: Sequence[object]) -> None:
    names = [str(item) for item in inputs if isinstance(item, str | Path)]
    missing = [name for name in names if not _is_there(name)]
    if missing:
        raise DataError(
            f"There is no file or folder, and no match, for\n{list_some(list(map(repr, missing)))}\n"
            f"{advise_missing(missing)}"
        )
    check_types(inputs)


def _is_there(name: str) -> bool:
    return bool(is_there(name) or find_archive(Path(name)) or glob.glob(name, recursive=True))  # noqa: PTH207


def _describe_odd(odd: Sequence[object]) -> str:
    names = name_some(sorted({type(item).__name__ for item in odd}))
    lines = dict.fromkeys(line for item in odd for kinds, line in _LINES if isinstance(item, kinds))
    way = f" {' '.join(lines)}" if lines else ""
    return f"Inputs of type {names} are not understood; expected {_EXPECTED}.{way}"


def advise_missing(names: Sequence[str]) -> str:
    """Return what to do about places that do not exist, by the first one that is no path at all."""
    for name in names:
        if not name.strip():
            return "A name is empty, for instance since a variable of the shell is not set. Give a file or a folder."
        address = _ADDRESS.match(name)
        if address and address[1].lower() == "file":
            return f"Give the path itself: /{unquote(name[address.end() :]).lstrip('/')}"
        if address:
            return "Pictures are not read from addresses. Download them, and give the file or folder."
    return "Check the spelling."


def _expand_home(item: object) -> Any:
    """Return a path with the home folder for a `~` that the shell has left, as within quotes; others as they are."""
    is_short = isinstance(item, str | Path) and str(item).startswith("~") and not os.path.lexists(item)
    return os.path.expanduser(str(item)) if is_short else item  # noqa: PTH111 - an unknown user is no error of its own


def _describe(item: object) -> str:
    return str(item) if isinstance(item, str | Path) else type(item).__name__
