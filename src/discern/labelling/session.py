"""A labelling: asks, keeps every answer on the disk, learns from the answers, and says what may be promised."""

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from discern.data.missing_labels import is_missing
from discern.data.sources.label_journal import DRAWN
from discern.errors import DataError
from discern.labelling.answer_book import AnswerBook
from discern.labelling.answers import is_of_drawn
from discern.labelling.asking import Asking
from discern.labelling.goal import Goal
from discern.labelling.heap import Heap
from discern.labelling.journal import ASKED, CONFIRMED, SUGGESTED, Journal
from discern.labelling.learner import Learner
from discern.labelling.lesson import Given, KeptAnswer, LessonBuilder, project_features
from discern.labelling.parts import Share, draw_parts
from discern.labelling.progress import PastAnswer, Progress
from discern.labelling.promise import plan_looks
from discern.labelling.question import Grid, Question, Reason

logger = logging.getLogger("discern")

_HISTORY = 20
_MAX_NAME = 100
_ALONE = Share()


class LabellingSession:
    """Pictures without labels and the answers about them; it may be used from several threads.

    Every answer is on the disk (fsync) before the method that takes it returns. Keys that are asked for stay what they
    are when a labelling goes on later.
    """

    def __init__(
        self,
        heap: Heap,
        journal: Journal,
        goal: Goal,
        *,
        class_names: Sequence[str] = (),
        seed: int = 0,
        share: Share = _ALONE,
    ) -> None:
        """Go on where the journal ends.

        Args:
            heap: The pictures.
            journal: The answers so far, to which others are appended.
            goal: What is to be reached.
            class_names: Classes to begin with; others come with the answers.
            seed: Of which pictures are kept apart, and for how many suggestions are hidden.
            share: The part of this person, where several label one heap.

        Raises:
            DataError: All of the journal is about other pictures.
        """
        self.name, self.journal_path, self.depth_range = heap.name, journal.path, heap.depth_range
        self._heap, self._goal, self._given_names = heap, goal, tuple(class_names)
        self._row_of_key = {key: row for row, key in enumerate(heap.keys)}
        self._book = AnswerBook(journal, heap.files)
        parts = draw_parts(heap.keys, seed=seed, share=share)
        self._num_pictures = len(parts.kept) + len(parts.learnt)
        self._asking = Asking(heap, parts, seed=seed)
        points = project_features(heap.features, seed=seed)
        looks = plan_looks(len(parts.kept), goal)
        self._is_in_reach = bool(looks.counts)
        if not looks.counts:
            logger.warning(
                "%s cannot be shown with so few pictures: %d of them are kept apart, and it takes at least %d; go on "
                "without a promise, or name another goal: the best that can be shown is %s",
                *(goal.describe(), len(parts.kept), looks.min_needed, looks.best_goal.describe()),
            )
        self._learner = Learner(LessonBuilder(heap, points, parts, looks, seed=seed), self._gather())
        self._lock = threading.RLock()
        self._asked: Question | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes so far: those given, then the others in the order in which they came."""
        with self._lock:
            return self._list_names()

    def ask(self) -> Question | None:
        """Return the next picture to ask about, the same until it is answered; None where none is left."""
        with self._lock:
            if self._asked is None:
                row = self._asking.choose(self._learner.lesson, self._book.answers)
                self._asked = None if row is None else self._build_question(row)
            return self._asked

    def ask_alike(self) -> Grid | None:
        """Return up to 12 look-alikes which the head gives the same class with confidence; None where none are."""
        with self._lock:
            return self._asking.find_alike(self._learner.lesson, self._book.answers)

    def answer(self, key: str, label: str) -> None:
        """Label a picture; a label that is no class yet becomes one. An earlier answer is replaced.

        Raises:
            DataError: There is no such picture, or the label cannot be a class.
            WriteError: It cannot be written; then nothing is answered.
        """
        with self._lock:
            row = self._find_row(key)
            asked = self._asked
            is_suggested = asked is not None and asked.key == key and asked.suggestion is not None
            how = DRAWN if self._asking.is_kept(row) else SUGGESTED if is_suggested else ASKED
            self._add([row], self._spell(label), None, how)

    def answer_without_label(self, key: str, reason: Reason) -> None:
        """Say why a picture gets no label; a skipped one comes again when nothing else is left.

        Raises:
            DataError: There is no such picture.
            WriteError: It cannot be written; then nothing is answered.
        """
        with self._lock:
            self._add([self._find_row(key)], "", reason, reason)

    def confirm(self, keys: Sequence[str], label: str) -> None:
        """Label pictures of a grid together, and ask about the others of it one by one; `undo` takes all labels back.

        Without `keys`, none of the grid is of the class.

        Raises:
            DataError: There is no such picture, one of them is kept apart, or the label cannot be a class.
            WriteError: They cannot be written; then nothing is answered.
        """
        with self._lock:
            rows = [self._find_row(key) for key in keys]
            if any(self._asking.is_kept(row) for row in rows):
                raise DataError("pictures that are kept apart are answered one by one")
            if rows:
                self._add(rows, self._spell(label), None, CONFIRMED)
            self._asking.close_grid(rows)
            self._asked = None

    def undo(self) -> Question | None:
        """Take the last answer back and return its picture, which `ask` returns, too; None where there is none.

        The answer to a grid is taken back as a whole; its first picture is returned.

        Raises:
            WriteError: It cannot be written; then the answer stays.
        """
        with self._lock:
            row = self._book.undo()
            if row is None:
                return None
            self._asked = self._build_question(row)
            self._learner.learn(self._gather())
            return self._asked

    def find_path(self, key: str) -> Path:
        """Return the file of a picture.

        Raises:
            DataError: There is no such picture.
        """
        return Path(self._heap.files[self._find_row(key)][0])

    def describe(self) -> Progress:
        """Return how far the labelling is.

        Raises:
            Exception: What the last solving of the head raised, if it did.
        """
        self._learner.check()
        with self._lock:
            return self._sum_up(is_solving=self._learner.is_learning)

    def wait(self) -> None:
        """Wait until the head has learnt from all answers so far."""
        self._learner.wait()

    def close(self) -> None:
        """Wait for the head that is being solved, if one is, and solve no more."""
        self._learner.close()

    def _add(self, rows: Sequence[int], label: str, reason: Reason | None, how: str) -> None:
        self._book.add(rows, label, reason, how)
        if self._asked is not None and self._row_of_key[self._asked.key] in rows:
            self._asked = None
        self._learner.learn(self._gather())

    def _gather(self) -> Given:
        learnt: list[tuple[int, str]] = []
        kept: list[KeptAnswer] = []
        for answer in self._book.answers:
            if is_of_drawn(answer, is_kept_apart=self._asking.is_kept(answer.row)):
                if answer.reason in (None, "none"):
                    kept.append(KeptAnswer(answer.row, answer.label, len(learnt)))
            elif answer.label:
                learnt.append((answer.row, answer.label))
        asked = np.array([answer.row for answer in self._book.answers], np.int64)
        # Not those that are known from pictures kept apart alone: what is asked must not depend on these.
        names = {*self._given_names, *(label for _, label in learnt)}
        return Given(tuple(learnt), kept, asked, len(names))

    def _sum_up(self, *, is_solving: bool) -> Progress:
        answers, lesson = list(self._book.answers), self._learner.lesson
        counts = Counter(answer.label for answer in answers if answer.label)
        promise = lesson.promise
        return Progress(
            pictures=self._num_pictures,
            answered=len(answers),
            counts={name: counts[name] for name in self._list_names()},
            reasons=Counter(answer.reason for answer in answers if answer.reason is not None),
            kept_apart=sum(self._asking.is_kept(answer.row) for answer in answers),
            goal=self._goal,
            promise=promise,
            goal_reached=promise is not None and promise.is_kept,
            forecast=lesson.forecast,
            curve=lesson.curve,
            is_solving=is_solving,
            history=[
                PastAnswer(self._heap.keys[answer.row], answer.label, answer.reason, answer.time)
                for answer in answers[: -_HISTORY - 1 : -1]
            ],
            is_in_reach=self._is_in_reach,
            next_look=lesson.next_look,
        )

    def _build_question(self, row: int) -> Question:
        return self._asking.build_question(row, self._learner.lesson, self._book.answers)

    def _list_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._given_names, *self._book.list_labels()]))

    def _spell(self, label: str) -> str:
        """Return a label as the class is spelled that it means."""
        name = " ".join(label.split())
        if is_missing(name) or len(name) > _MAX_NAME:
            raise DataError(f"{label[:_MAX_NAME]!r} cannot be a class; expected a name of up to {_MAX_NAME} characters")
        return next((known for known in self._list_names() if known.casefold() == name.casefold()), name)

    def _find_row(self, key: str) -> int:
        if key not in self._row_of_key:
            raise DataError(f"there is no picture {key[:_MAX_NAME]!r}")
        return self._row_of_key[key]
