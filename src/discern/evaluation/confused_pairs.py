"""Which classes are taken for each other most often."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

_LISTED = 10


class ConfusedPair(TypedDict):
    """Two classes, in the order of the classes, and how many pictures of each were taken for the other."""

    first: str
    second: str
    first_as_second: int
    second_as_first: int


def find_confused_pairs(confusion: NDArray[np.int64], class_names: Sequence[str]) -> list[ConfusedPair]:
    """Return up to 10 pairs of classes, those with most mistakes in both directions together first; ties by class."""
    mistakes = np.triu(confusion + confusion.T, k=1)
    firsts, seconds = np.nonzero(mistakes)
    most = np.argsort(-mistakes[firsts, seconds], kind="stable")[:_LISTED]
    return [
        {
            "first": class_names[first],
            "second": class_names[second],
            "first_as_second": int(confusion[first, second]),
            "second_as_first": int(confusion[second, first]),
        }
        for first, second in zip(firsts[most], seconds[most], strict=True)
    ]
