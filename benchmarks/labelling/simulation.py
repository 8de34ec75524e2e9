"""Simulates a person who labels a set truthfully, in the order that discern asks or in a random one."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.labelling.features import LabelledSet
from discern.labelling.goal import Goal
from discern.labelling.head import Head
from discern.labelling.heap import Heap, normalize_features
from discern.labelling.lesson import Given, LessonBuilder, project_features
from discern.labelling.parts import Parts
from discern.labelling.promise import plan_looks

HELD_OUT, MAX_HELD_OUT = 0.3, 1500
ALL_LABELS, MAX_LABELS = 4000, 3000
_FIRST, _GROWTH = 20, 1.12

Rows = NDArray[np.int64]
Order = Callable[["Simulated", int], Iterator[Rows]]


class Simulated(NamedTuple):
    """A set with its pictures divided, for all seeds alike, into those to label and those held out, by row."""

    heap: Heap
    labels: NDArray[np.str_]
    pool: Rows
    held_out: Rows


def divide(given: LabelledSet) -> Simulated:
    """Hold out three tenths of the pictures, at most 1,500."""
    rows = np.random.default_rng(0).permutation(len(given.targets))
    count = min(MAX_HELD_OUT, int(HELD_OUT * len(rows)))
    keys = [str(row) for row in range(len(rows))]
    heap = Heap(given.name, keys, [[key] for key in keys], normalize_features(given.features))
    return Simulated(heap, given.targets.astype(str), np.sort(rows[count:]), rows[:count])


def list_counts(pool: int) -> list[int]:
    """Return the numbers of labels at which heads are measured, ever farther apart, with the usual ones among them."""
    counts = {50, 100, 200, 400, min(pool, MAX_LABELS)}
    count = float(_FIRST)
    while count < min(pool, MAX_LABELS):
        counts.add(round(count))
        count *= _GROWTH
    return sorted(one for one in counts if one <= pool)


def order_at_random(simulated: Simulated, seed: int) -> Iterator[Rows]:
    """Yield ever more rows to learn from, in random order."""
    order = np.random.default_rng(seed).permutation(simulated.pool)
    yield from (order[:count] for count in list_counts(len(order)))


def order_as_asked(simulated: Simulated, seed: int) -> Iterator[Rows]:
    """Yield ever more rows to learn from, in the order in which a labelling asks about them."""
    heap = simulated.heap
    parts = Parts(np.zeros(0, np.int64), simulated.pool)
    points = project_features(heap.features, seed=seed)
    builder = LessonBuilder(heap, points, parts, plan_looks(0, Goal()), seed=seed)
    learnt: list[int] = []
    for count in list_counts(len(simulated.pool)):
        names = [str(simulated.labels[row]) for row in learnt]
        given = Given(tuple(zip(learnt, names, strict=True)), (), np.array(learnt, np.int64), len(set(names)))
        learnt += builder.build(given).queue[: count - len(learnt)]
        yield np.array(learnt, np.int64)


def measure(simulated: Simulated, order: Order, seed: int) -> dict[int, NDArray[np.float64]]:
    """Return which held-out pictures (N,) are answered rightly (1) or not (0), by the number of labels."""
    return {len(rows): _answer(simulated, rows) for rows in order(simulated, seed)}


def measure_all(simulated: Simulated) -> float:
    """Return the accuracy that all labels, or 4,000 of them, give."""
    return float(_answer(simulated, simulated.pool[:ALL_LABELS]).mean())


def find_needed(curves: Sequence[dict[int, NDArray[np.float64]]], accuracy: float) -> list[int | None]:
    """Return for each seed the smallest number of labels with this accuracy; None where it was not reached."""
    return [next((count for count, hits in curve.items() if hits.mean() >= accuracy), None) for curve in curves]


def _answer(simulated: Simulated, rows: Rows) -> NDArray[np.float64]:
    labels = simulated.labels
    if len(set(labels[rows])) < 2:
        return (labels[simulated.held_out] == labels[rows[0]]).astype(float)
    features = simulated.heap.features
    answered = Head(features[rows], labels[rows].tolist()).answer(features[simulated.held_out])
    return (answered.labels.astype(str) == labels[simulated.held_out]).astype(float)
