"""The metrics again, without the pictures that the run was trained on or chosen by."""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.metrics import Metrics, compute_metrics, save_metrics
from discern.evaluation.predictions import Predictions
from discern.files import write_table
from discern.percent import percent

logger = logging.getLogger("discern")

KNOWN_PICTURES = "known_pictures.csv"
_SCORES = (
    ("accuracy", "accuracy", percent),
    ("macro_f1", "macro F1", "{:.3f}".format),
    ("loss", "loss", "{:.4f}".format),
    ("ece", "calibration error", percent),
)


def write_scores_without_known(
    predictions: Predictions,
    known: NDArray[np.object_],
    metrics: Mapping[str, Metrics],
    folder: Path,
    custom: Mapping[str, MetricFunction] | None = None,
) -> dict[str, Metrics]:
    """Warn of pictures that are not new to the run, list them, and write metrics.json again with the scores without.

    Args:
        predictions: Of one split.
        known: For each of them the run's split that has it, "" where none has.
        metrics: Those of all pictures, by split.
        folder: That of the evaluation.
        custom: Metric functions of the user, by name.

    Returns:
        The metrics, with those of the new pictures by "SPLIT without known pictures" if some but not all are new.
    """
    is_known, path = known != "", folder / KNOWN_PICTURES
    if not is_known.any():
        path.unlink(missing_ok=True)
        return dict(metrics)
    rows = predictions.frame.loc[is_known, ["id", "path"]].assign(split_of_run=known[is_known])
    write_table(rows, path)
    trained, chosen = int((known == "train").sum()), int((known == "validation").sum())
    left = int((~is_known).sum())
    logger.warning(
        "of these %d pictures the run was trained on %d, and %d more chose what it kept (see %s): scores on them say "
        "nothing about new pictures%s",
        len(known),
        trained,
        chosen,
        path.name,
        "" if left else "; none is new",
    )
    found = dict(metrics)
    if left:
        one = predictions.take(np.flatnonzero(~is_known))
        clean = compute_metrics(one.targets, one.probabilities, one.class_names, custom=custom)
        found[name_without_known(predictions.splits[-1])] = clean
        for line in _tabulate(metrics[predictions.splits[-1]], clean):
            logger.info("%s", line)
        save_metrics(found, folder / "metrics.json")
    return found


def name_without_known(split: str) -> str:
    """Return the name by which metrics.json has the scores of a split without the pictures that the run knew."""
    return f"{split} without known pictures"


def _tabulate(whole: Metrics, clean: Metrics) -> list[str]:
    """Return the scores with and without the known pictures side by side, a line each."""
    rows = [("", f"all {whole.count} pictures", f"without the known, {clean.count}")]
    for key, label, form in _SCORES:
        one, other = getattr(whole, key), getattr(clean, key)
        if one is not None and other is not None:
            shown = [f"{form(each.value)} ({form(each.low)} to {form(each.high)})" for each in (one, other)]
            rows.append((label, shown[0], shown[1]))
    rows += [
        (name, f"{value:.4g}", f"{clean.custom[name]:.4g}")
        for name, value in whole.custom.items()
        if name in clean.custom
    ]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    return [f"{label:<{widths[0]}}  {one:<{widths[1]}}  {other}" for label, one, other in rows]
