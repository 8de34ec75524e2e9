"""Says before long work begins how long it will take on this machine."""

import logging
from collections.abc import Sequence
from contextlib import suppress

from discern.config.duration import describe_range
from discern.data.table import ImageTable
from discern.errors import DataError
from discern.models.classifier import Classifier
from discern.planning.estimate import Counts, Estimate, Part, count_pictures
from discern.planning.plan import Plan
from discern.planning.speed import QUICK, measure_speed
from discern.runtime import Runtime

logger = logging.getLogger("discern")

_MIN_FACTOR, _MAX_FACTOR = 0.8, 1.5
"""Real time by estimated time: pictures are read faster once they are kept, and slower when other programs run."""
_FEW_PIXELS = 400 * 224**2
"""So many, in pictures that a network reads, are no long work."""


def announce_time(plan: Plan, classifier: Classifier, table: ImageTable, runtime: Runtime) -> None:
    """Log how long a planned run will take: what its budget allows or, without one, what a short measurement says.

    A run of a few small pictures is not measured. Neither is one whose pictures cannot be read: training says why.
    """
    if plan.budget is not None:
        logger.info("time: %s", plan.reasons["run.budget"])
        return
    counts = count_pictures(plan, table, classifier)
    if _count_pixels(plan, counts) < _FEW_PIXELS:
        return
    with suppress(DataError):
        estimate = Estimate(plan, measure_speed(plan, classifier, table.select("train"), runtime, QUICK), counts)
        parts = estimate.list_parts(
            {phase.name: phase.length for phase in plan.phases if not phase.views}, counts.train
        )
        logger.info(
            "time: about %s on this machine: %s%s",
            _describe_total(parts),
            ", ".join(part.describe() for part in parts),
            _describe_early_end(plan, estimate, counts),
        )


def _describe_total(parts: Sequence[Part]) -> str:
    seconds = sum(part.seconds for part in parts)
    return describe_range(_MIN_FACTOR * seconds, _MAX_FACTOR * seconds)


def _describe_early_end(plan: Plan, estimate: Estimate, counts: Counts) -> str:
    """Return what the run takes if training ends after its baseline; empty if it cannot."""
    if not (plan.training.must_gain and counts.validation and plan.phases[0].views and len(plan.phases) > 1):
        return ""
    total = _describe_total(estimate.list_parts({}, counts.train))
    return f"; about {total} if {plan.phases[0].name} leaves too little to gain"


def _count_pixels(plan: Plan, counts: Counts) -> float:
    """Return how many pixels the network reads."""
    views = max((phase.views for phase in plan.phases), default=0)
    epochs = sum(phase.length for phase in plan.phases if not phase.views)
    pictures = counts.train * (views + epochs) + counts.validation * (1 + epochs) + counts.test
    return pictures * plan.preprocess.image_size**2
