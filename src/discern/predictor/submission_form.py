"""How the answers of a sample submission are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from discern.data.class_finder import parse_number
from discern.errors import cut

ROUNDING = 1e-3
"""How far from 1 the probabilities of a row may add up, for people round them."""


@dataclass(frozen=True)
class SubmissionForm:
    """How the answer columns of a sample submission are filled; either `labels` or `columns` is not empty.

    `labels` are the classes as the sample writes them, in the order of the classes, for its one `label_column`, and
    `own_labels` those of its cells that mean a class; `columns` maps each answer column to the class whose probability
    it takes, or with `is_one_hot` 1 for the most probable class and 0 for the others. `note` says it for people;
    `is_loud` where they should check it.
    """

    note: str
    is_loud: bool = False
    label_column: str = ""
    labels: tuple[str, ...] = ()
    own_labels: frozenset[str] = frozenset()
    columns: Mapping[str, int] = field(default_factory=dict)
    is_one_hot: bool = False

    def write(self, probabilities: npt.NDArray[np.float64]) -> dict[str, list[str] | npt.NDArray[np.generic]]:
        """Return the answer columns for probabilities (N, K)."""
        best = probabilities.argmax(axis=1)
        if self.labels:
            return {self.label_column: [self.labels[index] for index in best]}
        if self.is_one_hot:
            return {name: (best == index).astype(np.int64) for name, index in self.columns.items()}
        return {name: probabilities[:, index] for name, index in self.columns.items()}

    @property
    def gives_probabilities(self) -> bool:
        """Whether the answers are probabilities."""
        return not self.labels and not self.is_one_hot

    def is_answer(self, cells: Sequence[str]) -> bool:
        """Return whether the answer cells of a row of the sample are an answer that could be handed in as it is."""
        if self.labels:
            return cells[0] in self.own_labels
        numbers = [float(number) for cell in cells if (number := parse_number(cell)) is not None]
        return len(numbers) == len(cells) and (len(cells) == 1 or abs(sum(numbers) - 1) <= ROUNDING)


def show_cell(cell: str) -> str:
    """Return a cell for a message."""
    return repr(cut(cell, 40))
