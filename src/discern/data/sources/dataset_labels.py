"""The labels of a torch `Dataset`, by the attributes that torchvision's datasets have."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset

from discern.data.missing_labels import is_missing
from discern.errors import DataError


def find_class_names(dataset: Dataset[Any]) -> tuple[str, ...] | None:
    """Return the names that whole numbers count into: `classes` or `class_names`, also of what a dataset is made of."""
    for name in ("classes", "class_names"):
        found = getattr(dataset, name, None)
        if isinstance(found, list | tuple | np.ndarray) and len(found):
            return tuple(str(each).strip() for each in found)
    if isinstance(dataset, Subset):
        return find_class_names(dataset.dataset)
    if isinstance(dataset, ConcatDataset):
        named = {find_class_names(part) for part in dataset.datasets}
        return named.pop() if len(named) == 1 else None
    return None


def find_labels(dataset: Dataset[Any]) -> Sequence[object] | None:
    """Return the labels that a dataset keeps, one an item, without reading items; None where it keeps none."""
    if isinstance(dataset, Subset):
        found = find_labels(dataset.dataset)
        return None if found is None else [found[int(index)] for index in dataset.indices]
    if isinstance(dataset, ConcatDataset):
        parts = [find_labels(part) for part in dataset.datasets]
        known = [part for part in parts if part is not None]
        return [label for part in known for label in part] if len(known) == len(parts) else None
    targets = getattr(dataset, "targets", None)
    if targets is None:
        samples: Any = getattr(dataset, "samples", None)
        is_listed = isinstance(samples, list | tuple) and all(len(sample) == 2 for sample in samples)
        targets = [label for _, label in samples] if is_listed else None
    if isinstance(targets, Tensor | np.ndarray):
        targets = targets.tolist() if targets.ndim == 1 else None
    is_whole = isinstance(targets, list | tuple) and len(targets) == len(dataset)  # type: ignore[arg-type]
    return targets if is_whole else None


def name_label(label: object, class_names: Sequence[str] | None, shown: str) -> str | None:
    """Return the class of a label: text as it is, a whole number by its place in `class_names` or else as text.

    A label that is missing has none.

    Raises:
        DataError: It is neither, or none of `class_names`; `shown` names its item.
    """
    if isinstance(label, Tensor | np.ndarray | np.generic) and np.asarray(label).size == 1:
        label = label.item()
    if is_missing(label):
        return None
    if isinstance(label, str) and label.strip() and (class_names is None or label.strip() in class_names):
        return label.strip()
    if isinstance(label, int) and class_names is None:
        return str(int(label))
    if isinstance(label, int) and class_names is not None and 0 <= label < len(class_names):
        return class_names[label]
    expected = "text or a whole number"
    if class_names is not None:
        expected = f"one of the dataset's classes ({', '.join(class_names[:10])}{', ...' * (len(class_names) > 10)})"
        expected += f" or a number from 0 to {len(class_names) - 1}"
    raise DataError(f"{shown} has the label {label!r} of type {type(label).__name__}; expected {expected}.")
