"""Which picture a person is asked about next, and with what suggestion."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from discern.labelling.answers import Answers
from discern.labelling.forecast import LEARNT_PER_KEPT
from discern.labelling.heap import Heap, draw_numbers
from discern.labelling.lesson import Lesson
from discern.labelling.parts import Parts
from discern.labelling.question import Grid, Question, Why

_LEARNT_FIRST = 10
_HIDDEN_SHARE = 0.2
_MIN_CONFIDENCE = 0.9
_IN_GRID = 12


class Asking:
    """Chooses among the pictures of a heap; kept apart are those of `parts`, about which nothing is suggested."""

    def __init__(self, heap: Heap, parts: Parts, *, seed: int) -> None:
        self._heap, self._parts = heap, parts
        self._is_kept = np.isin(np.arange(len(heap)), parts.kept)
        self._is_hidden = draw_numbers(heap.keys, seed, "hidden") < _HIDDEN_SHARE
        self._in_grid: set[int] = set()
        self._taken_out: set[int] = set()

    def is_kept(self, row: int) -> bool:
        """Return whether a picture is kept apart."""
        return bool(self._is_kept[row])

    def choose(self, lesson: Lesson, answers: Answers) -> int | None:
        """Return the row to ask about: in turn two to learn from and one kept apart, at the end those skipped.

        Whose turn it is depends on the numbers of answers alone, never on what they are.
        """
        kept = next((int(row) for row in self._parts.kept if int(row) not in answers), None)
        num_kept = sum(self.is_kept(answer.row) for answer in answers)
        is_turn = LEARNT_PER_KEPT * num_kept < len(answers) - num_kept - _LEARNT_FIRST
        if kept is not None and is_turn:
            return kept
        learnt = next((row for row in [*sorted(self._taken_out), *lesson.queue] if row not in answers), None)
        if learnt is None:
            learnt = next((int(row) for row in self._parts.learnt if int(row) not in answers), None)
        if learnt is not None or kept is not None:
            return kept if learnt is None else learnt
        return next((answer.row for answer in answers if answer.reason == "skip"), None)

    def build_question(self, row: int, lesson: Lesson, answers: Answers) -> Question:
        """Return the question about a row, with the head's answer where there is one that may be shown."""
        is_hidden = lesson.answered is not None and (self.is_kept(row) or bool(self._is_hidden[row]))
        suggestion, between = None, None
        if lesson.answered is not None and not is_hidden and row not in self._taken_out:
            suggestion = str(lesson.answered.labels[row])
            between = (suggestion, str(lesson.answered.seconds[row])) if lesson.is_about_doubts else None
        why = "again" if row in answers else self._explain(row, lesson)
        first, *others = self._heap.files[row]
        return Question(self._heap.keys[row], Path(first), why, between, suggestion, is_hidden, len(others))

    def find_alike(self, lesson: Lesson, answers: Answers) -> Grid | None:
        """Return pictures to confirm together: the surest of a class, and those like it.

        Of the classes with two or more sure pictures it is the one with the fewest labels, so that grids do not make
        the labels one-sided.
        """
        if lesson.answered is None:
            return None
        left = [row for row in self._parts.learnt.tolist() if row not in answers and row not in self._taken_out]
        rows = np.array(left, np.int64)
        rows = rows[lesson.answered.confidences[rows] >= _MIN_CONFIDENCE]
        sure = Counter(lesson.answered.labels[rows].tolist())
        counts = Counter(answer.label for answer in answers)
        label = min((name for name in sorted(sure) if sure[name] > 1), key=counts.__getitem__, default=None)
        if label is None:
            return None
        rows = rows[lesson.answered.labels[rows] == label]
        surest = rows[lesson.answered.confidences[rows].argmax()]
        nearest = np.argsort(-(self._heap.features[rows] @ self._heap.features[surest]), kind="stable")[:_IN_GRID]
        self._in_grid = set(rows[nearest].tolist())
        return Grid(label, [self.build_question(int(row), lesson, answers) for row in rows[nearest]])

    def close_grid(self, confirmed: Sequence[int]) -> None:
        """Show the pictures of the last grid that were not confirmed in no other one; they are asked one by one."""
        self._taken_out |= self._in_grid.difference(confirmed)
        self._in_grid = set()

    def _explain(self, row: int, lesson: Lesson) -> Why:
        if self.is_kept(row):
            return "apart"
        if row in self._taken_out:
            return "taken_out"
        return "uncertain" if lesson.is_about_doubts else "diverse"
