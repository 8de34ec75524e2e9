"""What arrays are called, and the line of NumPy that brings them into the form that is read."""

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.data.missing_labels import is_missing
from discern.data.table import SPLITS, parse_split
from discern.errors import DataError, name_some

Array = npt.NDArray[np.generic]

EXPECTED = (
    "Expected images and labels, or train_images, train_labels, test_images and test_labels (val_... as well; x and y, "
    "or data and targets, mean the same), and optionally class_names."
)
CLASS_NAMES = ("class_names", "classes", "label_names", "target_names", "categories")
_KINDS = {
    "images": ("images", "image", "imgs", "x", "data", "pictures", "photos", "pixels", "inputs", "arr_0"),
    "labels": ("labels", "label", "y", "targets", "target", "arr_1"),
}
MIN_SIDE = 8
"""The side of the smallest picture that a flat row of numbers is taken for, in pixels."""
_MIN_WHITE = 3
"""Floats up to this, and above 1, are normalised rather than levels of 0 to 255."""
_KIND_BY_WORD = {word: kind for kind, words in _KINDS.items() for word in words}


class Part(NamedTuple):
    """The names of the images and the labels of one split, or of all where the split is None."""

    split: str | None
    images: str
    labels: str | None


def find_parts(names: Mapping[str, Array], source: str) -> list[Part]:
    """Return which arrays hold images and labels, in the order in which the images come.

    Raises:
        DataError: No array is called like images, or two mean the same.
    """
    found: dict[tuple[str | None, str], str] = {}
    for name in names:
        meaning = _read_name(name)
        if meaning is None:
            continue
        if meaning in found:
            raise DataError(
                f"{source}: {found[meaning]!r} and {name!r} could each be the {meaning[1]}. Leave one of them out."
            )
        found[meaning] = name
    parts = [
        Part(split, name, found.get((split, "labels"))) for (split, kind), name in found.items() if kind == "images"
    ]
    if not parts:
        raise DataError(f"{source}: holds {name_some(list(names)) or 'nothing'}. {EXPECTED}")
    return parts


def find_class_names(names: Mapping[str, Array]) -> str | None:
    """Return the name of the array of class names, if there is one."""
    return next((name for name in CLASS_NAMES if name in names), None)


def name_labels(part: Part) -> str:
    """Return what the labels of a part are called, or would be."""
    return part.labels or ("labels" if part.split is None else f"{part.split}_labels")


def to_array(part: object) -> Array:
    """Return an array; what is masked in one is missing, and labels of several kinds stay what they are.

    Raises:
        ValueError: It has no one shape.
    """
    if isinstance(part, list | tuple):
        kinds = {name_kind(label) for label in part if not is_missing(label)}
        if len(kinds) > 1 and kinds <= {"bool", "number", "str", "bytes"}:
            mixed = np.empty(len(part), dtype=object)  # NumPy would take True for 1, and 1 for "1"
            mixed[:] = part
            return mixed
    if not isinstance(part, np.ma.MaskedArray):
        return np.asarray(part)
    values = np.asarray(part, dtype=object)
    values[np.ma.getmaskarray(part)] = None
    return values


def name_kind(label: object) -> str:
    """Return the type of a label; one of NumPy is that of Python, and whole numbers may be floats."""
    if isinstance(label, bool | np.bool_):
        return "bool"
    for kind in (str, bytes):
        if isinstance(label, kind):
            return kind.__name__
    return "number" if isinstance(label, int | float | np.number) else type(label).__name__


def advise_images(images: Array, shown: str) -> str:
    """Return the line of NumPy that mends images of another form, where one does; `shown` ends with their name."""
    name = shown.rpartition(" ")[2]
    shaped, converted = _shape(images.shape), _convert(images)
    if shaped is None or not images.size:
        return ""
    if converted is None:
        return advise_numbers(images, name)
    planes = shape_flat(images.shape[1]) if images.ndim == 2 and "transpose" in shaped else None
    other = f" If the colours of a pixel lie together, it is {name}{planes}." if planes else ""
    return f"{other} Mend it with: {name} = {converted.format(name + shaped)}"


def advise_numbers(array: Array, name: str) -> str:
    """Return how to make whole numbers of pixels of other numbers, by their values; `name` is what they are called."""
    converted = _convert(array)
    if converted is not None:
        return f" Mend it with: {converted.format(name)}"
    if array.dtype.kind not in "iuf" or not array.size:
        return ""
    if not np.isfinite(array).all():
        return f" It holds NaN or infinity: fill them first, such as by np.nan_to_num({name})."
    low, high = float(array.min()), float(array.max())
    if array.dtype == np.int8:
        return f" Values from {low:g} to {high:g}: {name}.view(np.uint8) if 128..255 became negative."
    shifted = f"({name} - ({low:g}))" if low else name
    span = f"({shifted} / {high - low or 1:g} * 255).round().astype(np.uint8)"
    return (
        f" Values from {low:g} to {high:g}. Undo what scaled or normalised them, or scale all pictures, new ones too, "
        f"in one way: {span}"
    )


def advise_labels(labels: Array, count: int, shown: str) -> str:
    """Return how to mend labels of another form; `shown` ends with their name."""
    if labels.ndim == 2 and len(labels) == count and labels.dtype.kind in "biuf" and (labels.sum(axis=1) == 1).all():
        name = shown.rpartition(" ")[2]
        return f" Mend it with: {name} = {name}.argmax(axis=1)"
    return ""


def _read_name(name: str) -> tuple[str | None, str] | None:
    """Return the split, None for all, and the kind of an array; None if its name says neither."""
    plain = name.casefold()
    if plain in _KIND_BY_WORD:
        return None, _KIND_BY_WORD[plain]
    words = [word for word in re.split(r"[\W_]+", plain) if word]
    joined = re.fullmatch(r"([xy])(\w+)|(\w+)([xy])", plain) if len(words) == 1 else None
    if joined is not None:
        words = [word for word in joined.groups() if word]
    for place in (0, len(words) - 1):
        split = parse_split("_".join(words[:place] + words[place + 1 :]))
        if len(words) > 1 and words[place] in _KIND_BY_WORD and split in SPLITS:
            return split, _KIND_BY_WORD[words[place]]
    return None


def shape_flat(length: int) -> str | None:
    """Return what makes square pictures of flat ones of so many numbers, None where they are not square."""
    for channels, text in ((1, ".reshape(-1, {0}, {0})"), (3, ".reshape(-1, {0}, {0}, 3)")):
        side = math.isqrt(length // channels)
        if side >= MIN_SIDE and side * side * channels == length:
            return text.format(side)
    return None


def _shape(shape: tuple[int, ...]) -> str | None:
    """Return what makes (N, H, W, 3) or (N, H, W) of a shape, None where that is not known."""
    if len(shape) == 2:
        for channels, text in ((1, ".reshape(-1, {0}, {0})"), (3, ".reshape(-1, 3, {0}, {0}).transpose(0, 2, 3, 1)")):
            side = math.isqrt(shape[1] // channels)
            if side >= MIN_SIDE and side * side * channels == shape[1]:
                return text.format(side)
        return None
    if len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3)):
        return ""
    if len(shape) != 4:
        return None
    if shape[1] in (1, 3):
        return ".transpose(0, 2, 3, 1)"
    if shape[2] in (1, 3):
        return ".transpose(3, 0, 1, 2)"
    return "[..., :3]" if shape[3] == 4 else None


def _convert(images: Array) -> str | None:
    """Return what makes whole numbers from 0 to 255 of the numbers in `{}`, None where that is not known."""
    if images.dtype in (np.uint8, np.uint16):
        return "{}"
    if images.dtype.kind == "b":
        return "{}.astype(np.uint8) * 255"
    if images.dtype.kind not in "iuf" or not images.size:
        return None
    low, high = float(images.min()), float(images.max())
    if not (low >= -1 and high <= np.iinfo(np.uint16).max):  # written so that it refuses NaN, too
        return None
    if images.dtype.kind == "f" and high <= 1:
        return "({} * 255).round().astype(np.uint8)" if low >= 0 else "(({} + 1) * 127.5).round().astype(np.uint8)"
    if low < 0 or (images.dtype.kind == "f" and high < _MIN_WHITE):
        return None
    return "{}.round().astype(np.uint8)" if high <= np.iinfo(np.uint8).max else "{}.round().astype(np.uint16)"
