"""What a search says of trials that are as good as the best, without a training."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from discern.tuning.best_trial import describe_rivals


def make_study(*values: float | None) -> SimpleNamespace:
    trials = [
        SimpleNamespace(number=number, value=value, state=SimpleNamespace(name="FAIL" if value is None else "COMPLETE"))
        for number, value in enumerate(values)
    ]
    best = max((trial for trial in trials if trial.value is not None), key=lambda trial: trial.value)
    return SimpleNamespace(best_trial=best, get_trials=lambda deepcopy: trials)


@pytest.mark.parametrize(
    ("values", "monitor", "expected"),
    [
        (
            (0.9, None, 0.9, 0.9, 0.2),
            "validation_accuracy",
            "trials: 2, 3 have the same score: the first was",
        ),
        ((0.5, 0.9), "validation_accuracy", ""),
        (
            (0.8, 0.9),
            "validation_accuracy",
            "trials: 1 of 1 others are within the 95 % interval of the best",
        ),
        ((-0.4, -0.4), "validation_loss", "trials: 1 has the same score: the first was taken"),
        ((0.9,), "validation_accuracy", ""),
    ],
)
def test_a_tie_is_said(values: tuple[float | None, ...], monitor: str, expected: str, tmp_path: Path) -> None:
    pd.DataFrame({"split": ["validation"] * 20 + ["test"] * 20}).to_csv(tmp_path / "split.csv")
    search = SimpleNamespace(split=tmp_path / "split.csv", monitor=monitor)
    text = describe_rivals(make_study(*values), search)
    assert text.startswith(expected)
    assert bool(text) == bool(expected)
