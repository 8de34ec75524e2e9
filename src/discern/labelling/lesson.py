"""What is learnt from the answers so far: the head's answers, what to ask next, and what may be promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from discern.evaluation.intervals import exact_interval
from discern.labelling.choosing import choose_informative, choose_typical
from discern.labelling.forecast import Measured, forecast_answers
from discern.labelling.head import Answered, Head
from discern.labelling.heap import Heap
from discern.labelling.parts import Parts
from discern.labelling.progress import CurvePoint
from discern.labelling.promise import Looks, Promise, state_promise

Rows = npt.NDArray[np.int64]
Labels = tuple[tuple[int, str], ...]

_CURVE_START, _CURVE_RATIO = 20, 1.4
_MIN_TESTED = 10
_MIN_LABELS, _LABELS_PER_CLASS = 20, 2
"""Before so many labels pictures are asked that are typical of many others, whatever the head says."""
_NEW_SHARE = 0.05
_DIMENSIONS = 64


class KeptAnswer(NamedTuple):
    """An answer about a picture kept apart: its row, its label ("" if it shows none), and how many were learnt then."""

    row: int
    label: str
    num_learnt: int


class Given(NamedTuple):
    """The answers that hold: those learnt from and those kept apart, in the order in which they were given.

    `asked` are the rows that are not to be asked again; `num_classes` is how many classes are named or learnt from.
    """

    learnt: Labels
    kept: Sequence[KeptAnswer]
    asked: Rows
    num_classes: int


@dataclass(frozen=True, eq=False)
class Lesson:
    """What came of the answers: `answered` are the head's answers about the whole heap, None before two classes.

    `queue` are the rows to ask about next, the first first; `is_about_doubts` says that they are those of which the
    head is uncertain, and not yet those that are typical of many. `next_look` is how many more answers about pictures
    kept apart it is to the next look, None after the last.
    """

    queue: Sequence[int]
    is_about_doubts: bool = False
    answered: Answered | None = None
    promise: Promise | None = None
    curve: Sequence[CurvePoint] = ()
    forecast: tuple[int, int] | None = None
    next_look: int | None = None


class Tested(NamedTuple):
    """The answers of the head of one moment about all pictures kept apart (A,)."""

    labels: npt.NDArray[np.object_]
    confidences: npt.NDArray[np.float64]


def project_features(features: npt.NDArray[np.float32], *, seed: int) -> npt.NDArray[np.float32]:
    """Return points (G, D) of features (G, F) in so few dimensions that comparing all of them is quick."""
    number = min(_DIMENSIONS, *features.shape)
    points = PCA(number, svd_solver="randomized", random_state=seed).fit_transform(features)
    return np.asarray(points, np.float32)


class LessonBuilder:
    """Makes lessons of the answers to a heap; the heads of earlier moments are solved once."""

    def __init__(self, heap: Heap, points: npt.NDArray[np.float32], parts: Parts, looks: Looks, *, seed: int) -> None:
        self._heap, self._points, self._parts, self._looks, self._seed = heap, points, parts, looks, seed
        self._place = {int(row): place for place, row in enumerate(parts.kept)}
        self._tested: dict[Labels, Tested | None] = {}
        self._learnt: Labels = ()
        self._head: Head | None = None
        self._answered: Answered | None = None

    def build(self, given: Given) -> Lesson:
        """Solve for the head of this moment, and say what follows from it."""
        self._solve(given.learnt)
        queue, is_about_doubts = self._choose(given)
        next_look = self._looks.count_until_next(len(given.kept))
        if self._answered is None:
            return Lesson(queue, next_look=next_look)
        kept = self._parts.kept
        now = Tested(self._answered.labels[kept], self._answered.confidences[kept])
        self._tested[self._learnt] = now
        places = np.array([self._place[one.row] for one in given.kept], np.int64)
        is_right = _compare(now, places, given.kept)
        promise = state_promise(self._looks, now.confidences, places, is_right, self._look(given))
        measured = self._measure_curve(given)
        curve = [CurvePoint(one.labels, exact_interval(one.right, len(places))) for one in measured]
        forecast = None
        if promise is not None and not promise.is_kept:
            forecast = forecast_answers(measured, self._looks, len(given.learnt), len(places), len(self._parts.learnt))
        return Lesson(queue, is_about_doubts, self._answered, promise, curve, forecast, next_look)

    def _solve(self, learnt: Labels) -> None:
        """Solve for the head anew, unless next to nothing has come since the last time."""
        old = self._learnt
        is_near = learnt[: len(old)] == old and len(learnt) - len(old) < _NEW_SHARE * len(learnt)
        if self._answered is None or not is_near:
            self._learnt, self._head = learnt, _fit(self._heap, learnt)
            self._answered = None if self._head is None else self._head.answer(self._heap.features)

    def _choose(self, given: Given) -> tuple[list[int], bool]:
        """Return rows to ask about, and whether they are uncertain ones; while labels are few, they are typical."""
        left = np.setdiff1d(self._parts.learnt, given.asked)
        learnt = np.array([row for row, _ in given.learnt], np.int64)
        is_early = len(learnt) < max(_MIN_LABELS, _LABELS_PER_CLASS * given.num_classes)
        if self._head is None or self._answered is None or is_early:
            return choose_typical(self._points, left, learnt, seed=self._seed), False
        return choose_informative(self._points, left, learnt, self._answered.doubts, self._head.strength), True

    def _look(self, given: Given) -> float:
        """Return the bound of the error at the last planned look that has been reached; 1 before the first."""
        count = max((count for count in self._looks.counts if count <= len(given.kept)), default=0)
        if not count:
            return 1.0
        kept = given.kept[:count]
        tested = self._test(given.learnt[: kept[-1].num_learnt])
        if tested is None:
            return 1.0
        places = np.array([self._place[one.row] for one in kept], np.int64)
        is_answered = tested.confidences[places] > self._looks.choose_threshold(tested.confidences)
        return self._looks.bound_error(is_answered, _compare(tested, places, kept))

    def _measure_curve(self, given: Given) -> list[Measured]:
        """Measure earlier heads, after ever more labels, and the newest on all answers about pictures kept apart."""
        if len(given.kept) < _MIN_TESTED:
            return []
        places = np.array([self._place[one.row] for one in given.kept], np.int64)
        counts = [round(_CURVE_START * _CURVE_RATIO**power) for power in range(40)]
        measured = []
        for count in [*(count for count in counts if count < len(self._learnt)), len(self._learnt)]:
            tested = self._test(self._learnt[:count])
            if tested is not None:
                is_right = _compare(tested, places, given.kept)
                is_answered = tested.confidences[places] > self._looks.choose_threshold(tested.confidences)
                wrong = int((is_answered & ~is_right).sum())
                measured.append(Measured(count, int(is_right.sum()), int(is_answered.sum()), wrong))
        return measured

    def _test(self, learnt: Labels) -> Tested | None:
        """Return the answers about the pictures kept apart of the head that had learnt so much."""
        if learnt not in self._tested:
            head = _fit(self._heap, learnt)
            found = None if head is None else head.answer(self._heap.features[self._parts.kept])
            self._tested[learnt] = None if found is None else Tested(found.labels, found.confidences)
        return self._tested[learnt]


def _fit(heap: Heap, learnt: Labels) -> Head | None:
    labels = [label for _, label in learnt]
    return Head(heap.features[[row for row, _ in learnt]], labels) if len(set(labels)) > 1 else None


def _compare(tested: Tested, places: Rows, kept: Sequence[KeptAnswer]) -> npt.NDArray[np.bool_]:
    """Return whether the head's answers about pictures at these places (N,) are right; of no class nothing is."""
    return np.array([label == one.label for label, one in zip(tested.labels[places], kept, strict=True)], np.bool_)
