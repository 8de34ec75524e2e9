"""Answering "unknown": the confidence that an answer takes, for usual shares of wrong answers, and its outcome."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter

from discern.evaluation.coverage import REPORTED_ERRORS, OperatingPoint, choose_operating_point
from discern.evaluation.intervals import SavedInterval, exact_interval
from discern.evaluation.predictions import Predictions
from discern.files import write_json


class ThresholdOutcome(BaseModel):
    """What a threshold did on one split.

    `count` and `coverage` are the number and share of the pictures answered; `error` is the share of wrong answers
    among them, None where none was answered.
    """

    model_config = ConfigDict(frozen=True)

    count: int
    coverage: float
    error: SavedInterval | None = None


class AbstentionThreshold(BaseModel):
    """The smallest confidence at which the classifier answers, chosen on validation, and its outcome by split."""

    model_config = ConfigDict(frozen=True)

    threshold: float
    outcomes: dict[str, ThresholdOutcome] = {}


Abstention = dict[float, AbstentionThreshold | None]
"""The threshold for each accepted share of wrong answers (0..1); None where validation pictures cannot support it."""

_ABSTENTION = TypeAdapter(Abstention)


class ValidationEvidence(Protocol):
    """What thresholds are chosen on: the predictions for V validation pictures, (V,) each."""

    @property
    def confidences(self) -> NDArray[np.float64]:
        """Probabilities of the predicted classes."""

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether each prediction is right."""

    @property
    def num_choices(self) -> int:
        """Number of classifiers among which this one was chosen by these pictures."""


def measure_abstention(evidence: ValidationEvidence | None, predictions: Predictions) -> Abstention:
    """Choose thresholds for usual shares of wrong answers, and measure them on every split of the predictions.

    Without evidence there is none.
    """
    points = {} if evidence is None else choose_points(evidence)
    return {
        error: None
        if point is None
        else AbstentionThreshold(
            threshold=point.threshold,
            outcomes={split: _apply(point.threshold, predictions.select(split)) for split in predictions.splits},
        )
        for error, point in points.items()
    }


def choose_points(evidence: ValidationEvidence) -> dict[float, OperatingPoint | None]:
    """Return the threshold for each usual share of wrong answers; None where the evidence cannot support it."""
    return {
        error: choose_operating_point(evidence.confidences, evidence.is_right, error, choices=evidence.num_choices)
        for error in REPORTED_ERRORS
    }


def save_abstention(abstention: Abstention, path: str | Path) -> None:
    """Write abstention.json."""
    write_json(Path(path), dump_abstention(abstention))


def dump_abstention(abstention: Abstention) -> dict[str, Any]:
    """Return what abstention.json holds."""
    content: dict[str, Any] = _ABSTENTION.dump_python(abstention, mode="json")
    return content


def _apply(threshold: float, predictions: Predictions) -> ThresholdOutcome:
    return apply_threshold(threshold, predictions.confidences, predictions.is_correct)


def apply_threshold(
    threshold: float, confidences: NDArray[np.float64], is_correct: NDArray[np.bool_]
) -> ThresholdOutcome:
    """Return what happens if only the pictures (N,) with at least this confidence are answered."""
    is_answered = confidences >= threshold
    count = int(is_answered.sum())
    wrong = int((~is_correct)[is_answered].sum())
    return ThresholdOutcome(
        count=count,
        coverage=count / len(is_answered),
        error=exact_interval(wrong, count) if count else None,
    )
