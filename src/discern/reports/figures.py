"""The charts of a run, and the few numbers that go with them."""

from collections.abc import Sequence
from itertools import groupby
from math import isfinite
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from discern.evaluation.calibration import compute_reliability
from discern.evaluation.coverage import compute_coverage
from discern.evaluation.predictions import Predictions
from discern.reports.charts import Chart, Margins, build_axis
from discern.reports.run_facts import RunFacts
from discern.reports.verdict import BestEpoch, find_best_epoch
from discern.reports.wording import decimal, percent, shorten

_MOST_POINTS = 400
_FEW_EPOCHS = 30
_COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


class _Bin(NamedTuple):
    """One bin of confidences that has pictures."""

    low: float
    high: float
    pictures: float
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


class CoverageRow(NamedTuple):
    """What happens if only the surest pictures are answered."""

    coverage: float
    threshold: float
    error: float
    error_high: float


def draw_curves(facts: RunFacts) -> list[Markup]:
    """Draw loss and accuracy over the epochs; nothing where there is no history."""
    history, best = facts.history, find_best_epoch(facts)
    if history is None or best is None:
        return []
    return [_draw_measure(history, measure, best) for measure in ("loss", "accuracy")]


def draw_reliability(answers: Predictions) -> Markup:
    """Draw how often answers of a confidence are right, with where the pictures are underneath."""
    confidences, is_right = answers.confidences, answers.is_correct
    # The top confidence against all else: two columns whose larger one is the answer.
    probabilities = np.column_stack([confidences, np.zeros_like(confidences)])
    table = compute_reliability(np.where(is_right, 0, 1).astype(np.int64), probabilities)
    table = table.rename(columns={"count": "pictures"})
    filled = table.loc[table["pictures"] > 0, list(_Bin._fields)]
    bins = [_Bin(*row) for row in filled.to_numpy(dtype=np.float64).tolist()]
    chart = Chart(
        "reliability",
        "Confidence against accuracy",
        "Dots on the diagonal mean what they say; below it the classifier is too sure. "
        + "; ".join(
            f"confidence {percent(one.confidence, 0)}: {percent(one.accuracy, 0)} of {one.pictures:.0f} right"
            for one in bins
        ),
        build_axis("confidence, %", 0, 1, percent=True),
        build_axis("right, %", 0, 1, percent=True),
        height=340,
    )
    most = max(one.pictures for one in bins)
    for one in bins:
        chart.add_bar(one.low + 0.006, one.high - 0.006, 0, 0.22 * one.pictures / most, "histogram")
    chart.add_line([(0, 0), (1, 1)], "reference")
    for one in bins:
        chart.add_line([(one.confidence, one.accuracy_low), (one.confidence, one.accuracy_high)], "whisker")
    chart.add_marks([(one.confidence, one.accuracy) for one in bins], "main")
    return chart.to_markup()


def draw_coverage(curve: pd.DataFrame) -> Markup:
    """Draw the error over the share of pictures that are answered, the surest first."""
    rows = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, min(_MOST_POINTS, len(curve))).astype(int))]
    highest = float(rows["error"].max())
    top = min(1.0, max(0.02, 1.25 * highest, 1.1 * float(rows["error_high"].iloc[-1])))
    chart = Chart(
        "coverage",
        "Error against the share of pictures answered",
        "; ".join(
            f"answering {percent(row.coverage, 0)}: {percent(row.error)} wrong" for row in choose_coverages(curve)
        ),
        build_axis("pictures answered, the surest first, %", 0, 1, percent=True),
        build_axis("wrong answers, %", 0, top, percent=True),
        height=340,
    )
    points = rows[["coverage", "error", "error_high"]].to_numpy(dtype=np.float64).tolist()
    line = [(coverage, error) for coverage, error, _ in points]
    upper = [(coverage, min(top, error_high)) for coverage, _, error_high in points]
    chart.add_area(upper, line, "main")
    chart.add_line(line, "main")
    return chart.to_markup()


def compute_coverages(answers: Predictions) -> pd.DataFrame:
    """Return the risk-coverage curve of the reported answers."""
    return compute_coverage(answers.confidences, answers.is_correct)


def choose_coverages(curve: pd.DataFrame) -> list[CoverageRow]:
    """Return the rows for round shares of pictures: the lowest threshold that answers at most as many."""
    rows = []
    for wanted in _COVERAGES:
        within = curve[curve["coverage"] <= wanted + 1e-9]
        if len(within):
            row = within.iloc[-1]
            rows.append(CoverageRow(*(float(row[name]) for name in ("coverage", "threshold", "error", "error_high"))))
    return list(dict.fromkeys(rows))


def _draw_measure(history: pd.DataFrame, measure: str, best: BestEpoch) -> Markup:
    is_accuracy = measure == "accuracy"
    epochs = history["epoch"].astype(float).tolist()
    values = {split: history[f"{split}_{measure}"].astype(float).tolist() for split in ("train", "validation")}
    finite = [value for line in values.values() for value in line if isfinite(value)] or [0.0, 1.0]
    low = 0.0 if is_accuracy or min(finite) < 0.5 * max(finite) else 0.9 * min(finite)
    high = 1.0 if is_accuracy else max(max(finite) * 1.08, 1e-3)
    chart = Chart(
        f"curves-{measure}",
        f"{measure.capitalize()} over the epochs",
        _describe_lines(epochs, values, is_accuracy=is_accuracy),
        build_axis("epoch", 0.5, len(epochs) + 0.5, whole=True),
        build_axis("accuracy, %" if is_accuracy else "loss", low, high, percent=is_accuracy),
        margins=Margins(top=34, right=16),
    )
    _draw_phases(chart, [str(name) for name in history["phase"]], high)
    for split, look in (("train", "train"), ("validation", "validation")):
        points = list(zip(epochs, values[split], strict=True))
        chart.add_line(points, look)
        if len(points) <= _FEW_EPOCHS:
            chart.add_marks(points, look, square=split == "validation")
    chosen_by = "validation" if isfinite(values["validation"][best.epoch - 1]) else "train"
    value = values[chosen_by][best.epoch - 1]
    if isfinite(value):
        chart.add_ring(best.epoch, value, chosen_by)
    return chart.to_markup()


def _draw_phases(chart: Chart, phases: Sequence[str], high: float) -> None:
    """Shade every second phase and write the names above the plot."""
    start, bands = 0.5, [(name, len(list(group))) for name, group in groupby(phases)]
    for place, (name, length) in enumerate(bands):
        if place % 2 == 0 and len(bands) > 1:
            chart.add_bar(start, start + length, chart.y.low, high, "phase")
        room = (chart.place_x(start + length) - chart.place_x(start)) / 6.6
        if len(bands) > 1 and room >= 3:
            chart.add_text(start + length / 2, high, shorten(name, int(room)), "muted", anchor="middle", up=8)
        start += length


def _describe_lines(epochs: Sequence[float], values: dict[str, list[float]], *, is_accuracy: bool) -> str:
    show = percent if is_accuracy else decimal
    parts = [
        f"{split}: from {show(line[0])} in the first to {show(line[-1])} in the last of {len(epochs)} epochs"
        for split, line in values.items()
        if isfinite(line[0]) and isfinite(line[-1])
    ]
    return "; ".join(parts)
