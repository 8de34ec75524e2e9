"""Thresholds chosen on validation, and what they do on other pictures, counted by hand."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.abstention import AbstentionThreshold, measure_abstention, save_abstention
from discern.evaluation.coverage import choose_operating_point
from discern.evaluation.intervals import exact_interval
from discern.evaluation.predictions import build_predictions, join_predictions


class Evidence(NamedTuple):
    confidences: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    num_choices: int = 1


def make_evidence(count: int) -> Evidence:
    """Make predictions that are wrong only where their confidence is below 0.6."""
    confidences = np.linspace(0.5, 1, count)
    return Evidence(confidences, confidences >= 0.6)


def test_a_threshold_is_measured_on_every_split() -> None:
    confidences, targets = np.array([0.99, 0.95, 0.9, 0.55]), np.array([0, 0, 1, 1])
    probabilities = np.column_stack([confidences, 1 - confidences])
    parts = [
        build_predictions(
            [f"{split}{row}" for row in range(4)], [""] * 4, targets, probabilities, ["a", "b"], split=split
        )
        for split in ("validation", "test")
    ]
    evidence = make_evidence(400)
    found = measure_abstention(evidence, join_predictions(parts))
    assert list(found) == [0.01, 0.02, 0.05, 0.1]
    threshold = found[0.05]
    assert isinstance(threshold, AbstentionThreshold)
    point = choose_operating_point(evidence.confidences, evidence.is_right, 0.05)
    assert point is not None
    assert threshold.threshold == point.threshold
    assert 0.55 < threshold.threshold < 0.9
    assert list(threshold.outcomes) == ["validation", "test"]
    outcome = threshold.outcomes["test"]
    assert (outcome.count, outcome.coverage, outcome.error) == (3, 0.75, exact_interval(1, 3))


def test_what_the_evidence_cannot_support_is_none_and_the_file_says_so(tmp_path: Path) -> None:
    predictions = build_predictions(["a"], [""], np.array([0]), np.array([[0.9, 0.1]]), ["a", "b"])
    save_abstention(measure_abstention(make_evidence(6), predictions), tmp_path / "abstention.json")
    content = json.loads((tmp_path / "abstention.json").read_text())
    assert content == {"0.01": None, "0.02": None, "0.05": None, "0.1": None}
    assert measure_abstention(None, predictions) == {}
