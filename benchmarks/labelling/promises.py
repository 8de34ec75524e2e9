"""Simulates labellings to their goal, counting broken promises: python -m benchmarks.labelling.promises [DRAWS]."""

import sys
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.intervals import exact_interval
from discern.labelling.forecast import LEARNT_PER_KEPT
from discern.labelling.goal import Goal
from discern.labelling.head import Head
from discern.labelling.heap import Heap, normalize_features
from discern.labelling.lesson import Given, KeptAnswer, LessonBuilder, project_features
from discern.labelling.parts import Share, draw_parts
from discern.labelling.promise import plan_looks

_NEW_PICTURES = 10_000
DISTANCES = {Goal(0.1, 0.8): (2.1, 2.3, 3.0), Goal(0.05, 0.8): (2.55, 2.75, 4.0)}
"""Of the classes: with the first even the best head is wrong too often, by little; with the last few labels will do."""


class World(NamedTuple):
    """Pictures of `classes` whose features lie around centres that are `distance` deviations apart."""

    classes: int
    distance: float
    dimensions: int = 8

    def draw(self, rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
        """Return features (N, F) and labels (N,)."""
        targets = rng.integers(self.classes, size=count)
        centres = self.distance / np.sqrt(2) * np.eye(self.classes, self.dimensions)
        features = centres[targets] + rng.normal(size=(count, self.dimensions))
        return features.astype(np.float32), targets.astype(str)


class Outcome(NamedTuple):
    """A labelling: after how many answers the goal was said to hold, None where it never was; whether it does not."""

    answers: int | None
    is_broken: bool


def simulate_labelling(world: World, goal: Goal, pictures: int, seed: int) -> Outcome:
    """Label pictures as they are asked for, look as planned, and stop at the first promise; then try new pictures.

    New pictures belong to the heap, so that their features are treated alike, but nobody is ever asked about them.
    """
    features, labels = world.draw(np.random.default_rng(seed), pictures + _NEW_PICTURES)
    keys = [str(place) for place in range(len(features))]
    heap = Heap("world", keys, (), normalize_features(features))
    parts = draw_parts(keys[:pictures], seed=seed, share=Share())
    looks = plan_looks(len(parts.kept), goal)
    builder = LessonBuilder(heap, project_features(heap.features, seed=seed), parts, looks, seed=seed)
    learnt: list[int] = []
    for count in looks.counts:
        while len(learnt) < min(LEARNT_PER_KEPT * count, len(parts.learnt)):
            learnt += builder.build(_give(learnt, [], labels, world)).queue[: max(20, len(learnt))]
        lesson = builder.build(_give(learnt, parts.kept[:count].tolist(), labels, world))
        if lesson.promise is not None and lesson.promise.is_kept:
            head = Head(heap.features[learnt], labels[learnt].tolist())
            threshold = looks.choose_threshold(head.answer(heap.features[parts.kept]).confidences)
            answered = head.answer(heap.features[pictures:])
            is_answered = answered.confidences > threshold
            error = (answered.labels.astype(str) != labels[pictures:])[is_answered].mean()
            return Outcome(len(learnt) + count, bool(is_answered.mean() < goal.answered or error > goal.wrong))
    return Outcome(None, is_broken=False)


def main(draws: int) -> None:
    """Print how often the goal was promised, after how many answers, and how often the promise was broken."""
    for goal, pictures in ((Goal(0.1, 0.8), 1500), (Goal(0.05, 0.8), 3000)):
        for distance in DISTANCES[goal]:
            found = [simulate_labelling(World(2, distance), goal, pictures, seed) for seed in range(draws)]
            answers = [one.answers for one in found if one.answers is not None]
            broken = exact_interval(sum(one.is_broken for one in found), draws)
            print(
                f"{goal.describe()}, classes {distance} apart: promised {len(answers) / draws:.1%}, after a median of "
                f"{np.median(answers) if answers else np.nan:.0f} answers; broken {broken.value:.1%} "
                f"[{broken.low:.1%}, {broken.high:.1%}]",
                flush=True,
            )


def _give(learnt: list[int], kept: list[int], labels: NDArray[np.str_], world: World) -> Given:
    """Return the answers of a truthful person, those about pictures kept apart after all others."""
    return Given(
        tuple((row, str(labels[row])) for row in learnt),
        [KeptAnswer(row, str(labels[row]), len(learnt)) for row in kept],
        np.array([*learnt, *kept], np.int64),
        world.classes,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
