"""The answers that hold, as the rows of a journal leave them, in the order in which they were given."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, get_args

from discern.data.sources.label_journal import DRAWN
from discern.labelling.journal import CONFIRMED, COPIES, DISAGREED, LABELLED, UNDONE, JournalRow
from discern.labelling.question import Reason

REASONS: tuple[Reason, ...] = get_args(Reason)


class Answer(NamedTuple):
    """What a person said of the picture in this `row` of the heap: a label, or the reason why it has none."""

    row: int
    label: str
    reason: Reason | None
    time: str
    how: str


class Answers:
    """The last answer about each picture, the latest at the end."""

    def __init__(self) -> None:
        self._by_row: dict[int, Answer] = {}

    def __len__(self) -> int:
        return len(self._by_row)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._by_row.values())

    def __contains__(self, row: int) -> bool:
        return row in self._by_row

    def list_last(self) -> list[int]:
        """Return the row of the latest answer; of a grid that was confirmed, those of all its pictures."""
        last = next(reversed(self._by_row.values()), None)
        if last is None or last.how != CONFIRMED:
            return [] if last is None else [last.row]
        grid = takewhile(lambda one: one[3:] == last[3:], reversed(self._by_row.values()))
        return [one.row for one in grid][::-1]

    def add(self, answer: Answer) -> None:
        """Let an answer hold, and no earlier one about the same picture."""
        self._by_row.pop(answer.row, None)
        self._by_row[answer.row] = answer

    def remove(self, row: int) -> None:
        """Let no answer about this picture hold."""
        self._by_row.pop(row, None)


def replay(journal: Sequence[JournalRow], rows: Mapping[str, int], folder: str) -> tuple[Answers, int]:
    """Return the answers that a journal leaves, and how many files it names that are not in the heap.

    Args:
        journal: The rows of the file.
        rows: The row in the heap by the absolute path of each file.
        folder: That of the journal, absolute, where its paths start.
    """
    answers, strange = Answers(), set()
    for one in journal:
        if one.how in COPIES:
            continue
        row = rows.get(os.path.normpath(Path(folder, one.path)))
        if row is None:
            strange.add(one.path)
        elif one.how in (UNDONE, DISAGREED):
            answers.remove(row)
        elif one.how in LABELLED:
            answers.add(Answer(row, one.label, None, one.time, one.how))
        else:
            answers.add(Answer(row, "", _parse_reason(one.how), one.time, one.how))
    return answers, len(strange)


def is_of_drawn(answer: Answer, *, is_kept_apart: bool) -> bool:
    """Return whether an answer is about a picture kept apart that was not asked about for another reason."""
    return is_kept_apart and (answer.how == DRAWN or answer.reason is not None)


def _parse_reason(how: str) -> Reason:
    return next((reason for reason in REASONS if reason == how), "skip")
