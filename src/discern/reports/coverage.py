"""What happens if only the most confident answers are given."""

from typing import NamedTuple

import pandas as pd

from discern.evaluation.coverage import compute_coverage
from discern.evaluation.predictions import Predictions

_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


class CoverageRow(NamedTuple):
    """Share of pictures answered, the confidence this takes, and the share of wrong answers with its upper bound."""

    coverage: float
    threshold: float
    error: float
    error_high: float


def compute_coverages(answers: Predictions) -> pd.DataFrame:
    """Return the risk-coverage curve of the reported answers."""
    return compute_coverage(answers.confidences, answers.is_correct)


def choose_coverages(curve: pd.DataFrame) -> list[CoverageRow]:
    """Return the rows for round shares of pictures: the lowest threshold that answers at most that share."""
    rows = []
    for wanted in _COVERAGES:
        within = curve[curve["coverage"] <= wanted + 1e-9]
        if len(within):
            row = within.iloc[-1]
            rows.append(CoverageRow(*(float(row[name]) for name in CoverageRow._fields)))
    return list(dict.fromkeys(rows))
