"""What all trackers are sent: numbers by name for an epoch and for the results, and the plan as texts by name."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from discern.evaluation.metrics import Metrics
from discern.planning.plan import Plan
from discern.training.history import EpochRow

_NOT_SENT = {"reasons", "candidates"}
"""Of a plan: they are texts for people, and a table."""


def list_epoch_values(row: EpochRow) -> dict[str, float]:
    """Return the numbers of an epoch by the name of their curve; those of validation only where there is one."""
    values = {
        "loss/train": row.train_loss,
        "accuracy/train": row.train_accuracy,
        "loss/validation": row.validation_loss,
        "accuracy/validation": row.validation_accuracy,
        "learning_rate": row.learning_rate,
        "images_per_second": row.images_per_second,
    }
    values |= {f"{name}/validation": value for name, value in row.metrics.items()}
    return {name: value for name, value in values.items() if math.isfinite(value)}


def list_results(metrics: Mapping[str, Metrics]) -> dict[str, float]:
    """Return the scores of each split by name, such as test/accuracy, with the ends of their 95 % intervals.

    These have names such as test/accuracy_low and test/accuracy_high.
    """
    return {f"{split}/{name}": value for split, one in metrics.items() for name, value in _list_scores(one)}


def flatten_plan(plan: Plan) -> dict[str, str]:
    """Return the values of a plan as texts, by names such as training.batch_size and phases.head.learning_rate."""
    return dict(_flatten(plan.model_dump(mode="json", exclude=_NOT_SENT, exclude_none=True)))


def _list_scores(metrics: Metrics) -> Iterator[tuple[str, float]]:
    yield "pictures", metrics.count
    for name, score in metrics.model_dump(mode="json").items():
        if isinstance(score, dict) and "value" in score:
            yield name, score["value"]
            yield f"{name}_low", score["low"]
            yield f"{name}_high", score["high"]
    yield from metrics.custom.items()


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _flatten(part, f"{name}.{key}" if name else key)
    elif name == "phases":
        for phase in value:
            yield from _flatten(phase, f"phases.{phase['name']}")
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, str(value)
