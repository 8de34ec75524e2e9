"""A picture that is explained, and the classes that it is explained for."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from discern.data.class_finder import ClassFinder
from discern.data.table import ImageTable
from discern.errors import ConfigError, name_some, one_line
from discern.evaluation.familiarity import Familiarity, describe_familiarity
from discern.percent import percent


class ExplainedClass(NamedTuple):
    """A class with its index, and the role in which it is explained: "predicted", "2nd", "true" or "asked for"."""

    role: str
    target: int
    name: str
    confidence: float


class ExplainedPicture(NamedTuple):
    """A picture that is explained.

    `row` is its place in the table; `true_name` is None where it is not known; `confidence` is that of `predicted`, in
    0..1; `classes` are those that it is explained for. `familiarity`, 0..1, is None where it is not known, like
    `is_unfamiliar`, which marks a picture unlike those trained on.
    """

    row: int
    id: str
    path: str
    true_name: str | None
    predicted: str
    confidence: float
    classes: list[ExplainedClass]
    familiarity: float | None = None
    is_unfamiliar: bool | None = None

    def describe(self) -> str:
        """Return one line for people."""
        truth = "" if self.true_name is None else f", true {self.true_name}"
        answer = f"predicted {self.predicted} {percent(self.confidence, 0)}"
        return f"{one_line(self.id)}: {answer}{truth}{self.describe_familiarity(', ')}"

    def describe_familiarity(self, start: str) -> str:
        """Return how familiar it is, for people, after a `start`; nothing where it is not known."""
        if self.familiarity is None:
            return ""
        return start + describe_familiarity(self.familiarity, is_unfamiliar=bool(self.is_unfamiliar))


def find_class(name: str, class_names: Sequence[str]) -> int:
    """Return the index of a class by its name, which may be spelt otherwise.

    Raises:
        ConfigError: The classifier has no such class.
    """
    index = ClassFinder(class_names).find(name)
    if index is not None:
        return index
    near = get_close_matches(name, class_names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ConfigError(f"the classifier has no class {name!r}{hint}; it has {name_some(class_names)}")


def choose_classes(
    probabilities: npt.NDArray[np.float64],
    class_names: Sequence[str],
    *,
    true_name: str | None,
    asked_for: int | None,
    top_k: int,
) -> list[ExplainedClass]:
    """Choose the class asked for, or else, by the probabilities (K,), the most probable ones and the true one."""
    order = [int(index) for index in np.argsort(-probabilities, kind="stable")]
    if asked_for is not None:
        roles = {asked_for: "predicted" if asked_for == order[0] else "asked for"}
    else:
        roles = {index: _name_place(place) for place, index in enumerate(order[:top_k], start=1)}
        if true_name in class_names:
            roles.setdefault(class_names.index(true_name), "true")
    return [
        ExplainedClass(role, index, class_names[index], float(probabilities[index])) for index, role in roles.items()
    ]


def describe_pictures(
    readable: ImageTable,
    probabilities: npt.NDArray[np.float64],
    class_names: Sequence[str],
    true_names: Mapping[str, str | None],
    familiarity: Familiarity | None = None,
    *,
    asked_for: int | None,
    top_k: int,
) -> list[ExplainedPicture]:
    """Return the N pictures of a table with their classes; `true_names` are by id, `probabilities` (N, K)."""
    pictures = []
    for row, (name, path) in enumerate(zip(readable.frame["id"], readable.frame["path"], strict=True)):
        own, true_name = probabilities[row], true_names[name]
        best = int(own.argmax())
        classes = choose_classes(own, class_names, true_name=true_name, asked_for=asked_for, top_k=top_k)
        known = () if familiarity is None else (float(familiarity.values[row]), bool(familiarity.is_unfamiliar[row]))
        pictures.append(
            ExplainedPicture(row, name, path, true_name, class_names[best], float(own[best]), classes, *known)
        )
    return pictures


def _name_place(place: int) -> str:
    return {1: "predicted", 2: "2nd", 3: "3rd"}.get(place, f"{place}th")
