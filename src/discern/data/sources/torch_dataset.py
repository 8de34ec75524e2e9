"""Pictures of a torch `Dataset`, read from it one by one when they are needed."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from discern.data.picture_arrays import LazyPictures, Pixels
from discern.data.reading.decode import read_pixels
from discern.data.sources.dataset_labels import find_class_names, find_labels, name_label
from discern.data.table import SPLITS, ImageTable, build_table, parse_split
from discern.errors import BadImageError, DataError, name_some

DatasetImage = Image.Image | npt.NDArray[Any] | Tensor
_IMAGE_TYPES = (Image.Image, np.ndarray, Tensor)

_EXPECTED = (
    "expected (image, label), where the image is a PIL picture, an array (H, W, 3) or (H, W) of uint8 or uint16, or a "
    "tensor (C, H, W) of uint8 or of floats from 0 to 1"
)


class _Item(NamedTuple):
    image: DatasetImage
    label: object


class DatasetPictures(Sequence[Pixels]):
    """The pictures of a dataset; each is read when it is asked for, by one thread at a time."""

    def __init__(self, dataset: Dataset[Any], name: str) -> None:
        self._dataset = dataset
        self._name = name
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return _count(self._dataset, self._name)

    def __getitem__(self, index: int) -> Pixels:  # type: ignore[override]
        """Read one picture: RGB, or the values of one of more than 8 bits, which are scaled where it is decoded.

        Raises:
            BadImageError: The dataset fails, or gives something that is no picture.
        """
        item = self.read(index)
        shown = f"item {index} of {self._name}"
        pixels = _to_array(item.image, shown) if isinstance(item.image, Tensor) else item.image
        return read_pixels(pixels, name=shown)

    def read(self, index: int) -> _Item:
        """Return an item, unlabelled ones with the label None.

        Raises:
            BadImageError: The dataset fails, or gives something else.
        """
        shown = f"item {index} of {self._name}"
        try:
            with self._lock:
                item = self._dataset[index]
        except Exception as error:
            raise BadImageError(shown, f"the dataset raises {type(error).__name__}: {error}") from error
        if isinstance(item, _IMAGE_TYPES):
            return _Item(item, None)
        if isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], _IMAGE_TYPES):
            return _Item(*item)
        raise BadImageError(shown, f"it is {_describe(item)}; {_EXPECTED}")

    def __reduce__(self) -> tuple[type["DatasetPictures"], tuple[Dataset[Any], str]]:
        """Rebuild in a loader process, with a lock of its own."""
        return type(self), (self._dataset, self._name)


def load_dataset(dataset: Dataset[Any], *, labelled: bool) -> ImageTable:
    """Load the pictures of a map-style dataset of (image, label), or of images alone where `labelled` is False.

    The dataset should give plain pictures: what its own transforms do at random changes from one reading to the next,
    and discern keeps what it has read of a picture. An image is a PIL picture, an array (H, W, 3) or (H, W) of
    uint8 or uint16, or a tensor (C, H, W) of uint8 or of floats from 0 to 1. A label is text, or a whole number that
    counts into the dataset's `classes` or `class_names` if it has them. Labels are taken from `targets` or `samples`,
    as torchvision's datasets have them, or else all items are read once. An id is the place in the dataset.

    Raises:
        DataError: It is no map-style dataset, it is empty, or an item or a label is not understood.
    """
    return _load_parts({None: dataset}, labelled=labelled)


def load_dataset_splits(datasets: Mapping[str, Dataset[Any]], *, labelled: bool) -> ImageTable:
    """Load datasets by split, each as `load_dataset` says; an id is the place after the split, such as `train/17`.

    Raises:
        DataError: A name is no split, two name the same one, or a dataset cannot be used.
    """
    by_split: dict[str | None, Dataset[Any]] = {}
    for name, dataset in datasets.items():
        split = parse_split(str(name))
        if split is None or split in by_split:
            raise DataError(
                f"the datasets are called {name_some(list(map(str, datasets)))}; expected {', '.join(SPLITS)}, each "
                "once."
            )
        by_split[split] = dataset
    return _load_parts(by_split, labelled=labelled)


def _load_parts(datasets: Mapping[str | None, Dataset[Any]], *, labelled: bool) -> ImageTable:
    ids: list[str] = []
    labels: list[str | None] = []
    splits: list[str | None] = []
    parts = []
    for split, dataset in datasets.items():
        name = f"the dataset {type(dataset).__name__}" + (f" for {split}" if split else "")
        pictures = DatasetPictures(dataset, name)
        count = len(pictures)
        ids += [f"{split}/{place}" if split else str(place) for place in range(count)]
        splits += [split] * count
        labels += _load_labels(pictures, dataset, name, labelled=labelled)
        parts.append(pictures)
    return build_table(
        {"id": ids, "label": labels, "split": splits},
        arrays=LazyPictures(parts),
        array_index=np.arange(len(ids)),
        source=f"the dataset {', '.join(dict.fromkeys(type(dataset).__name__ for dataset in datasets.values()))}",
    )


def _load_labels(
    pictures: DatasetPictures, dataset: Dataset[Any], name: str, *, labelled: bool
) -> Sequence[str | None]:
    """Return the label of each item, from the list that the dataset keeps if it agrees with the first item."""
    first = pictures.read(0)
    if first.label is None and not labelled:
        return [None] * len(pictures)
    class_names = find_class_names(dataset)
    first_label = name_label(first.label, class_names, f"item 0 of {name}")
    found = find_labels(dataset)
    if found is None or name_label(found[0], class_names, f"item 0 of {name}") != first_label:
        found = [pictures.read(index).label for index in range(len(pictures))]
    return [name_label(label, class_names, f"item {index} of {name}") for index, label in enumerate(found)]


def _count(dataset: Dataset[Any], name: str) -> int:
    if isinstance(dataset, IterableDataset):
        raise DataError(
            f"{name} is an IterableDataset, whose pictures come in one order only; expected one with __len__ and "
            "__getitem__. Collect its items in a list and wrap that."
        )
    try:
        count = len(dataset)  # type: ignore[arg-type]
    except TypeError as error:
        raise DataError(f"{name} has no length; expected a dataset with __len__ and __getitem__.") from error
    if not count:
        raise DataError(f"{name} is empty; expected one item a picture.")
    return count


def _to_array(image: Tensor, shown: str) -> npt.NDArray[np.uint8]:
    """Return a tensor (C, H, W) or (H, W) as pixels (H, W, C)."""
    planes = image.detach().cpu()
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3 or planes.shape[0] not in (1, 3, 4):
        raise BadImageError(shown, f"a tensor of shape {tuple(image.shape)}; expected (3, H, W) or (1, H, W)")
    if planes.is_floating_point():
        low, high = float(planes.min()), float(planes.max())
        if not (low >= 0 and high <= 1):  # written so that it refuses NaN, too
            raise BadImageError(
                shown,
                f"a tensor of floats from {low:.3g} to {high:.3g}; expected 0 to 1. Leave out transforms that "
                "normalise, which discern does itself",
            )
        planes = (planes * 255).round().to(torch.uint8)
    if planes.dtype != torch.uint8:
        raise BadImageError(shown, f"a tensor of {planes.dtype}; expected torch.uint8, or floats from 0 to 1")
    return planes.permute(1, 2, 0).contiguous().numpy()


def _describe(item: object) -> str:
    if isinstance(item, tuple | list):
        return f"a {type(item).__name__} of {name_some([type(part).__name__ for part in item]) or 'nothing'}"
    return f"a {type(item).__name__}"
