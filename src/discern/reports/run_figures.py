"""The figures of plots/ that the page of a run shows, each with a description for those who cannot see it."""

from collections.abc import Sequence
from math import isfinite

import numpy as np
import pandas as pd
from markupsafe import Markup

from discern.evaluation.calibration import compute_reliability
from discern.evaluation.predictions import Predictions
from discern.plots.coverage import plot_coverage
from discern.plots.curves import plot_curves
from discern.plots.interval import plot_interval
from discern.plots.reliability import plot_reliability
from discern.reports.coverage import choose_coverages
from discern.reports.run_facts import RunFacts
from discern.reports.svg import figure_to_svg
from discern.reports.verdict import Verdict, find_best_epoch
from discern.reports.wording import decimal, percent, percent_range


def draw_headline(verdict: Verdict) -> Markup:
    """Draw the accuracy with its interval and the baseline."""
    accuracy, baseline = verdict.accuracy, verdict.baseline
    description = f"Accuracy {percent(accuracy.value)}, 95 % interval {percent_range(accuracy.low, accuracy.high)}"
    if baseline is not None:
        description += f"; baseline {percent(baseline.share)}"
    figure = plot_interval(
        accuracy.value, accuracy.low, accuracy.high, baseline=None if baseline is None else baseline.share
    )
    return figure_to_svg(figure, title="Accuracy and its 95 % interval", description=description)


def draw_curves(facts: RunFacts) -> Markup | None:
    """Draw loss and accuracy over the epochs; None where there is no history."""
    history, best = facts.history, find_best_epoch(facts)
    if history is None or best is None:
        return None
    figure = plot_curves(history, kept_epoch=best.place)
    description = "; ".join(
        _describe_line(f"{split} {measure}", history[f"{split}_{measure}"].astype(float).tolist())
        for measure in ("loss", "accuracy")
        for split in ("train", "validation")
    )
    return figure_to_svg(figure, title="Loss and accuracy over the epochs", description=description)


def draw_reliability(answers: Predictions, calibration_error: float | None) -> Markup:
    """Draw how often answers of a confidence are correct, with the number of pictures below."""
    confidences, is_correct = answers.confidences, answers.is_correct
    # The top confidence against all else: two columns whose larger one is the answer.
    probabilities = np.column_stack([confidences, np.zeros_like(confidences)])
    bins = compute_reliability(np.where(is_correct, 0, 1).astype(np.int64), probabilities)
    filled = bins[bins["count"] > 0]
    description = "; ".join(
        f"confidence {percent(confidence, 0)}: {percent(accuracy, 0)} of {count:.0f} correct"
        for confidence, accuracy, count in filled[["confidence", "accuracy", "count"]].to_numpy(dtype=float).tolist()
    )
    figure = plot_reliability(bins, calibration_error=calibration_error)
    return figure_to_svg(figure, title="Accuracy against confidence", description=description)


def draw_coverage(curve: pd.DataFrame) -> Markup:
    """Draw the share of wrong answers over the share of pictures that are answered, the most confident first."""
    description = "; ".join(
        f"answering {percent(row.coverage, 0)}: {percent(row.error)} wrong" for row in choose_coverages(curve)
    )
    title = "Wrong answers against the share of pictures answered"
    return figure_to_svg(plot_coverage(curve), title=title, description=description)


def _describe_line(name: str, values: Sequence[float]) -> str:
    show = percent if name.endswith("accuracy") else decimal
    if not (isfinite(values[0]) and isfinite(values[-1])):
        return f"{name}: not known in every epoch"
    return f"{name}: from {show(values[0])} in the first to {show(values[-1])} in the last of {len(values)} epochs"
