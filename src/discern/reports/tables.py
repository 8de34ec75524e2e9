"""The table of classes with their scores, and the confusion matrix."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.reports.run_facts import ClassScores, RunFacts
from discern.reports.wording import grouped, percent

WHOLE_MATRIX = 30
"""Largest number of classes of which the whole confusion matrix is shown."""

_PART = 18
_SHADES = 8


class ClassRow(NamedTuple):
    """One class of the table; a fraction of no pictures is None."""

    name: str
    pictures: int
    trained: int | None
    precision: float | None
    recall: float | None
    f1: float | None
    recall_low: float | None
    recall_high: float | None
    mistaken_for: str


class Cell(NamedTuple):
    """One cell of the confusion matrix: its percentage, its count, its meaning in words, and how dark it is (0..8)."""

    text: str
    pictures: int
    meaning: str
    shade: int
    is_right: bool


@dataclass(frozen=True)
class ConfusionView:
    """A square part of the confusion matrix as shares of the true classes; `num_classes` is the size of the whole."""

    names: tuple[str, ...]
    pictures: tuple[int, ...]
    rows: tuple[tuple[Cell, ...], ...]
    num_classes: int

    @property
    def is_whole(self) -> bool:
        """Whether all classes are in it."""
        return len(self.names) == self.num_classes


def build_class_rows(facts: RunFacts) -> list[ClassRow]:
    """Return the classes, those with the lowest recall first."""
    mistaken_for = {} if facts.confusion is None else _find_mistaken_for(facts.confusion)
    trained: dict[str, int] = {}
    if facts.split_counts is not None and "train" in facts.split_counts:
        trained = {str(name): int(count) for name, count in facts.split_counts["train"].items()}
    rows = [_build_row(scores, trained, mistaken_for) for scores in facts.per_class or ()]
    return sorted(rows, key=lambda row: (row.recall is None, row.recall or 0.0))


def build_confusion(facts: RunFacts) -> ConfusionView | None:
    """Return the matrix; of more than 30 classes, the part with the most frequent mistakes."""
    if facts.confusion is None:
        return None
    counts, names = facts.confusion.to_numpy(), np.array(facts.confusion.index, dtype=object)
    chosen = np.arange(len(names)) if len(names) <= WHOLE_MATRIX else _find_most_confused(counts)
    totals = counts.sum(axis=1)
    rows = tuple(
        tuple(
            _build_cell(int(counts[true, answer]), int(totals[true]), names[true], names[answer]) for answer in chosen
        )
        for true in chosen
    )
    pictures = tuple(int(totals[true]) for true in chosen)
    return ConfusionView(tuple(map(str, names[chosen])), pictures, rows, len(names))


def _build_row(scores: ClassScores, trained: dict[str, int], mistaken_for: dict[str, str]) -> ClassRow:
    return ClassRow(
        name=scores.name,
        pictures=scores.pictures,
        trained=trained.get(scores.name),
        precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
        recall_low=scores.recall_low,
        recall_high=scores.recall_high,
        mistaken_for=mistaken_for.get(scores.name, ""),
    )


def _find_mistaken_for(confusion: pd.DataFrame) -> dict[str, str]:
    """Return for each class the one that it is most often mistaken for, with the number of pictures."""
    counts, names = confusion.to_numpy().copy(), list(confusion.index)
    np.fill_diagonal(counts, 0)
    most_frequent = counts.argmax(axis=1)
    return {
        name: f"{names[place]} ({grouped(int(counts[row, place]))})"
        for row, (name, place) in enumerate(zip(names, most_frequent, strict=True))
        if counts[row, place] > 0
    }


def _find_most_confused(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose the classes of the most confused pairs, and return them in the order of the classes."""
    mistakes = np.triu(counts + counts.T, k=1)
    firsts, seconds = np.nonzero(mistakes)
    chosen: list[int] = []
    for pair in np.argsort(-mistakes[firsts, seconds], kind="stable"):
        new = [int(place) for place in (firsts[pair], seconds[pair]) if place not in chosen]
        if len(chosen) + len(new) > _PART:
            break
        chosen += new
    return np.sort(np.array(chosen or range(min(_PART, len(counts))), dtype=np.int64))


def _build_cell(count: int, total: int, true: str, answer: str) -> Cell:
    share = count / total if total else 0.0
    verb = "was" if count == 1 else "were"
    meaning = f"{grouped(count)} of {grouped(total)} {true} {verb} predicted as {answer} ({percent(share)})"
    return Cell(
        text=_share_text(count, share),
        pictures=count,
        meaning=meaning,
        shade=0 if count == 0 else max(1, round(_SHADES * share)),
        is_right=true == answer,
    )


def _share_text(count: int, share: float) -> str:
    if count == 0:
        return ""
    return "<1" if share < 0.005 else f"{100 * share:.0f}"
