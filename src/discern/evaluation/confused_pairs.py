"""Pairs of classes that are confused most often."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

_MAX_PAIRS = 10


class ConfusedPair(BaseModel):
    """Two classes, in class order, and how many pictures of each were classified as the other."""

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    first_as_second: int
    second_as_first: int

    @property
    def count(self) -> int:
        """Mistakes in both directions."""
        return self.first_as_second + self.second_as_first


def find_confused_pairs(confusion: NDArray[np.int64], class_names: Sequence[str]) -> tuple[ConfusedPair, ...]:
    """Return up to 10 pairs of classes by falling number of mistakes in both directions; ties in class order."""
    mistakes = np.triu(confusion + confusion.T, k=1)
    firsts, seconds = np.nonzero(mistakes)
    order = np.argsort(-mistakes[firsts, seconds], kind="stable")[:_MAX_PAIRS]
    return tuple(
        ConfusedPair(
            first=class_names[first],
            second=class_names[second],
            first_as_second=int(confusion[first, second]),
            second_as_first=int(confusion[second, first]),
        )
        for first, second in zip(firsts[order], seconds[order], strict=True)
    )
