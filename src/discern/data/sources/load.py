"""From what the user gives to the one table of pictures."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from torch.utils.data import Dataset

from discern.counts import count_of
from discern.data.class_finder import match_labels
from discern.data.sources.array_parts import to_array
from discern.data.sources.arrays import load_arrays, read_labels
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.csv_file import load_frame
from discern.data.sources.folder import load_folder
from discern.data.sources.header import show_list
from discern.data.sources.inputs import advise_missing, check_types, list_inputs, load_inputs
from discern.data.sources.kinds import SUFFIXES, find_kind, is_there, list_tables, open_place
from discern.data.sources.shards import find_shards, load_shards
from discern.data.sources.split_column import NO_SPLIT
from discern.data.sources.torch_dataset import load_dataset, load_dataset_splits
from discern.data.sources.unpacked import naming_as_given
from discern.data.table import SPLITS, ImageTable, join_all, parse_split
from discern.errors import DataError, cut, list_some, name_some

__all__ = ["ColumnSettings", "Source", "join_classes", "load_inputs", "load_table"]

logger = logging.getLogger("discern")

Pair = tuple[npt.NDArray[np.generic] | Sequence[object], Sequence[object] | npt.NDArray[np.generic]]
Datasets = Mapping[str, Dataset[Any]] | tuple[Dataset[Any], ...]
Source = str | Path | pd.DataFrame | Pair | Mapping[str, npt.NDArray[np.generic]] | Dataset[Any] | Datasets


def load_table(source: Source, columns: ColumnSettings | None = None) -> ImageTable:
    """Load labelled pictures from whatever the user has them in; paths are absolute, to be found from any folder later.

    That is a folder, an archive of one or a place in it (`birds.zip/train.csv`), a file of one of the `KINDS`, a
    DataFrame, a pair (images, labels), in which the images are an array or one by one as paths, arrays or PIL pictures,
    arrays by name, a torch `Dataset` of (image, label), or datasets by split:
    `{"train": ..., "validation": ..., "test": ...}`, or a tuple of all three.

    Raises:
        DataError: The source is missing or cannot be used as it is.
    """
    table = _load(source, columns or ColumnSettings())
    paths = table.frame["path"].tolist()
    if table.arrays is not None or all(map(os.path.isabs, paths)):
        return table
    return replace(table, frame=table.frame.assign(path=pd.Series(join_all(Path.cwd(), paths), dtype="str")))


def join_classes(table: ImageTable, class_names: Sequence[str]) -> ImageTable:
    """Return the table with these classes; unlabelled pictures stay unlabelled.

    A label that spells a class otherwise, such as `1.0` for `1` or `Dog` for `dog`, takes the spelling of the class.

    Raises:
        DataError: The table has labels that are none of them, or several for one of them.
    """
    counts = table.frame["label"].value_counts()
    found = match_labels(table.class_names, class_names, table.source)
    unknown = [name for name in table.class_names if name not in found]
    if unknown:
        listed = list_some([f"{name!r}: {count_of(int(counts.get(name, 0)), 'picture')}" for name in unknown])
        raise DataError(
            f"{table.source}: classes that the classifier does not know:\n{listed}\n"
            f"It knows {name_some(class_names)}. Rename or leave out the others."
        )
    frame = table.frame
    if any(name != known for name, known in found.items()):
        frame = frame.assign(label=frame["label"].map(found).astype("str"))
    return replace(table, frame=frame, class_names=tuple(class_names))


def _load(source: Source, settings: ColumnSettings) -> ImageTable:
    if (shards := find_shards(source)) is not None:
        return load_shards(shards, str(source), label_column=settings.label_column, labelled=True)
    if isinstance(source, pd.DataFrame):
        return load_frame(source, settings, folder=Path(), source="the DataFrame", labelled=True)
    if isinstance(source, Dataset):
        return load_dataset(source, labelled=True)
    if _are_datasets(source):
        return load_dataset_splits(_name_splits(source), labelled=True)
    if isinstance(source, tuple) and len(source) == 2:
        images, labels = source
        return _load_pair(images, labels, settings)
    if isinstance(source, Mapping):
        return _load_parts(source)
    if isinstance(source, str | Path):
        return _load_place(Path(source), settings)
    raise DataError(
        f"Labelled pictures cannot be read from a {type(source).__name__}; expected the path of a folder, an archive "
        "or a file, a DataFrame, a pair (images, labels), a mapping of arrays by name, a torch Dataset, or "
        "datasets by split."
    )


def _are_datasets(source: object) -> TypeGuard[Datasets]:
    parts = list(source.values()) if isinstance(source, Mapping) else source
    return isinstance(parts, list | tuple) and bool(parts) and all(isinstance(part, Dataset) for part in parts)


def _name_splits(datasets: Datasets) -> Mapping[str, Dataset[Any]]:
    if isinstance(datasets, Mapping):
        return datasets
    if len(datasets) != len(SPLITS):
        raise DataError(
            f"{len(datasets)} datasets came without names; expected three, for {', '.join(SPLITS)}. Say which is "
            'which: {"train": ..., "test": ...}.'
        )
    return dict(zip(SPLITS, datasets, strict=True))


def _load_parts(parts: Mapping[str, object]) -> ImageTable:
    if parts and all(parse_split(str(name)) for name in parts):
        raise DataError(
            f"{name_some(list(map(str, parts)))} came with {_name_types(parts.values())}; only torch Datasets are "
            'given by split. Give arrays as {"train_images": ..., "train_labels": ..., "test_images": ..., ...}, and '
            "files as a folder with train, validation and test inside, or as a table with a column split."
        )
    arrays = {}
    for name, part in parts.items():
        try:
            arrays[name] = to_array(part)
        except ValueError as error:
            raise DataError(
                f"the arrays: {name} is no array of one shape: {error}. Give pictures of several sizes as files."
            ) from error
    return load_arrays(arrays, source="the arrays", labelled=True)


def _name_types(values: Iterable[object]) -> str:
    """Return the types of values in words, such as "a tuple, a DataFrame"."""
    return name_some(list(dict.fromkeys(f"a {type(value).__name__}" for value in values)))


def _load_pair(images: object, labels: object, settings: ColumnSettings) -> ImageTable:
    """Load pictures in one array, or one by one: paths, arrays and PIL pictures, of which some may repeat."""
    if _is_one_array(images):
        return _load_parts({"images": images, "labels": labels})
    samples = list_inputs(images)
    check_types(samples)
    source = "the pictures"
    names = read_labels(to_array(labels), len(samples), None, f"{source}: labels", labelled=True)
    frame = pd.DataFrame({"image": pd.Series(samples, dtype="object"), "label": list(names)})
    named = replace(settings, image_column="image", label_column="label", label_pattern=None)
    columns = replace(named, split_column=NO_SPLIT, group_column=None)
    return load_frame(frame, columns, folder=Path(), source=source, labelled=True, may_repeat=True)


def _is_one_array(images: object) -> bool:
    if hasattr(images, "dtype"):
        return np.asarray(images).dtype.kind not in "OSU"
    return not any(isinstance(one, str | Path | Image.Image | np.ndarray) for one in list_inputs(images)[:1])


def _load_place(place: Path, settings: ColumnSettings) -> ImageTable:
    opened = open_place(place)
    if not is_there(opened):
        raise DataError(
            f"{cut(str(place))}: no such file or folder (seen from {Path.cwd()}). {advise_missing([str(place)])}"
        )
    with naming_as_given(place, opened):
        if not opened.is_dir():
            table = _load_file(opened, settings)
        elif opened == place:
            table = load_folder(opened, settings.label_pattern)
        else:
            table = _load_archived(place, opened, settings)
    return replace(table, source=str(place))


def _load_file(file: Path, settings: ColumnSettings) -> ImageTable:
    kind = find_kind(file)
    if kind is None:
        raise DataError(
            f"{file}: labelled pictures come as a folder of class folders, or an archive of it, or as a file that ends "
            f"in {name_some(SUFFIXES)}.{show_list(file)}"
        )
    return kind.load(file, settings, True)


def _load_archived(place: Path, folder: Path, settings: ColumnSettings) -> ImageTable:
    """Load what an archive was unpacked to: a folder of class folders, or else the only table in it."""
    try:
        table, error = load_folder(folder, settings.label_pattern), None
    except DataError as refusal:
        table, error = None, refusal
    tables = list_tables(folder)
    if table is not None and (len(table.class_names) > 1 or not tables):
        return table
    if len(tables) == 1:
        logger.info("%s: the labels are those of %s in it, since it has no class folders", place, tables[0].name)
        return _load_file(tables[0], settings)
    if error is not None and not tables:
        raise error
    named = name_some([str(place / one.relative_to(folder)) for one in tables])
    raise DataError(f"{place}: no class folders, but several tables. Give the one with the labels: {named}.")
