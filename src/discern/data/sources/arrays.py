"""Pictures in memory or in an .npz file."""

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from discern.data.missing_labels import is_missing
from discern.data.picture_arrays import Pixels
from discern.data.sources.array_parts import (
    EXPECTED,
    Array,
    advise_images,
    advise_labels,
    find_class_names,
    find_parts,
    name_labels,
)
from discern.data.sources.csv_file import as_text, check_single
from discern.data.table import ImageTable, build_table, natural_sort
from discern.errors import DataError, name_some


def load_npz(path: Path, *, labelled: bool) -> ImageTable:
    """Load the pictures of an .npz file; nothing pickled is accepted.

    Raises:
        DataError: The file or its arrays cannot be used.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            parts = dict(file)
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: not readable as .npz of plain arrays: {error}\n"
            "Plain arrays hold numbers or text; save names as np.array(names, dtype=str), not as objects."
        ) from error
    return load_arrays(parts, source=str(path), labelled=labelled)


def load_arrays(parts: Mapping[str, Array], *, source: str, labelled: bool) -> ImageTable:
    """Load pictures from arrays by name: `images` (uint8 or uint16, (N, H, W, 3) or (N, H, W)) and `labels` (N,).

    With a prefix (`train_`, `val_`, `test_`) they belong to that split; `x` and `y`, `data` and `targets` and their
    like mean the same, and the split may also come last. Whole numbers in `labels`, of whatever type, count into
    `class_names` when that is given. An id is the place in its array, after the split if there is one: `train/17`.

    Raises:
        DataError: An array is missing, or has a type, shape, length or label that was not expected.
    """
    found = find_parts(parts, source)
    named = find_class_names(parts)
    names = None if named is None else _read_class_names(parts[named], f"{source}: {named}")
    images = [_check_images(parts[part.images], f"{source}: {part.images}") for part in found]
    if len({array.shape[1:] for array in images}) > 1:
        raise DataError(f"{source}: pictures of several sizes: {name_some([str(array.shape) for array in images])}.")
    ids: list[str] = []
    labels: list[str | None] = []
    splits: list[str | None] = []
    for part, array in zip(found, images, strict=True):
        ids += [f"{part.split}/{place}" if part.split else str(place) for place in range(len(array))]
        splits += [part.split] * len(array)
        given = None if part.labels is None else parts[part.labels]
        labels += read_labels(given, len(array), names, f"{source}: {name_labels(part)}", labelled)
    used = {named, *(name for part in found for name in (part.images, part.labels))}
    return build_table(
        {"id": ids, "label": labels, "split": splits},
        arrays=images[0] if len(images) == 1 else np.concatenate(images),
        array_index=np.arange(len(ids)),
        source=source,
        ignored=[f"array {name!r}: not understood" for name in parts if name not in used],
    )


def _read_class_names(array: Array, shown: str) -> list[str]:
    if array.ndim != 1:
        raise DataError(f"{shown} has shape {array.shape}; expected (K,), one name a class.")
    names = [str(name).strip() for name in _decode_text(array, shown)]
    repeated = natural_sort(name for name, count in Counter(names).items() if count > 1)
    if repeated or "" in names:
        wrong = f"{name_some(list(map(repr, repeated)))} more than once" if repeated else "an empty name"
        raise DataError(f"{shown} holds {wrong}; expected a different name for each class.")
    return names


def _decode_text(array: Array, shown: str) -> Array:
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array.astype(np.bytes_), "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{shown} holds bytes that are no UTF-8: {error}. Save it as text (dtype=str).") from error


def _check_images(given: Array, shown: str) -> Pixels:
    images = given[..., np.newaxis] if given.ndim == 3 else given
    if (
        images.dtype not in (np.uint8, np.uint16)
        or images.ndim != 4
        or images.shape[3] not in (1, 3)
        or images.size == 0
    ):
        raise DataError(
            f"{shown} is {given.dtype} of shape {given.shape}; "
            f"expected uint8 (0..255) or uint16 of shape (N, H, W, 3) or (N, H, W).{advise_images(given, shown)}"
        )
    return np.broadcast_to(images, (*images.shape[:3], 3))


def read_labels(
    labels: Array | None, count: int, class_names: Sequence[str] | None, shown: str, labelled: bool
) -> Sequence[str | None]:
    """Return the class of each of `count` pictures, None for one without.

    Raises:
        DataError: Labels are missing though all should be `labelled`, or have another shape or kind.
    """
    if labels is None:
        if labelled:
            raise DataError(f"{shown} is missing. {EXPECTED}")
        return [None] * count
    flat = labels.reshape(-1) if labels.shape == (count, 1) else labels
    if flat.shape != (count,):
        advice = advise_labels(labels, count, shown)
        raise DataError(f"{shown} has shape {labels.shape}; expected ({count},), one label per picture.{advice}")
    given = pd.Series(_decode_text(flat, shown), dtype=None if flat.dtype.kind != "O" else "object")
    is_known = ~given.map(is_missing).to_numpy(dtype=bool)
    names: list[str | None] = [None] * count
    for place, name in zip(
        is_known.nonzero()[0].tolist(), _name_known(given[is_known], class_names, shown), strict=True
    ):
        names[place] = name
    return names


def _name_known(labels: "pd.Series[Any]", class_names: Sequence[str] | None, shown: str) -> Sequence[str]:
    """Return the class of labels none of which is missing."""
    values = labels.to_numpy()
    if class_names is not None and len(values) and _holds_whole_numbers(values):
        return _name_labels(values.astype(np.int64), class_names, shown)
    check_single(labels, shown)
    text = [str(label).strip() for label in as_text(labels.infer_objects())]
    unknown = natural_sort(set(text) - set(class_names)) if class_names is not None else ()
    if unknown:
        raise DataError(f"{shown} holds {name_some(unknown)}; expected one of class_names for each picture.")
    return text


def _holds_whole_numbers(labels: Array) -> bool:
    return labels.dtype.kind in "iu" or (
        labels.dtype.kind == "f" and all(float(label).is_integer() for label in labels.tolist())
    )


def _name_labels(labels: npt.NDArray[np.int64], class_names: Sequence[str], shown: str) -> list[str]:
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(class_names):
        raise DataError(
            f"{shown} goes from {low} to {high}; class_names has {len(class_names)} names, 0 to {len(class_names) - 1}."
        )
    return [class_names[label] for label in labels]
