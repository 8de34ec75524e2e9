"""Labels that are probably wrong: a classifier that was trained without the picture contradicts them."""

import logging
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from discern.auditing.findings import Finding, ItemBuilder, build_finding
from discern.auditing.pretrained_features import LabelledFeatures
from discern.data.duplicates.matching import Duplicates
from discern.data.table import ImageTable
from discern.errors import ConfigError, install_command
from discern.percent import percent

logger = logging.getLogger("discern")

Numbers = npt.NDArray[np.floating[Any]]

_FOLDS = 5
_STRENGTH = 1.28
"""Of the inverse regularisation, divided by the number of standardised features, which add up."""

_MIN_SCORE = 0.8
"""Measured with 2 to 10 % of the labels changed at random, on pretrained features. Two classes, accuracy 0.95: all
labels that reach it were wrong, and half of the wrong ones reach it. Five classes at 0.70: 0.3 to 0.7 of the wrong
ones. 17 classes at 0.26: none."""
_MIN_PICTURES = 5
_EXPLANATION = (
    "A classifier on the features of a pretrained network, trained without these pictures, contradicts them with "
    "confidence. Look at them, the most certain first: some are only unusual. Remove the rows of correct labels from "
    "fixes.csv before you apply it."
)


class LabelIssue(NamedTuple):
    """A picture whose label is probably wrong; the score, 0..1, says how certain that is."""

    row: int
    score: float
    label_probability: float
    suggested: int
    suggested_probability: float


def find_label_errors(table: ImageTable, features: LabelledFeatures, duplicates: Duplicates) -> list[Finding]:
    """Return the finding of labels that a classifier on features contradicts; where it cannot be made, log why."""
    if len(table.class_names) < 2:
        return []
    if not has_cleanlab():
        logger.info("wrong labels were not looked for: cleanlab is missing (%s)", install_command("labels"))
        return []
    labelled = table.take(features.rows)
    targets = labelled.targets()
    probabilities = predict_out_of_fold(features.features, targets, duplicates.clusters[features.rows])
    accuracy = float((probabilities.argmax(axis=1) == targets).mean())
    logger.info("labels were compared with a classifier on features, which is right for %.0f %%", 100 * accuracy)
    return build_label_findings(labelled, find_label_issues(targets, probabilities))


def has_cleanlab() -> bool:
    """Return whether the package that finds label errors is installed."""
    return find_spec("cleanlab") is not None


def predict_out_of_fold(features: Numbers, targets: npt.NDArray[np.int64], clusters: npt.NDArray[np.int64]) -> Numbers:
    """Return probabilities (N, K) for features (N, F) from classifiers that were fitted without the picture.

    Pictures of one cluster (N,), -1 for none, are left out together, so that a copy does not confirm a wrong label.
    """
    groups = np.where(clusters >= 0, clusters, clusters.max(initial=-1) + 1 + np.arange(len(clusters)))
    num_classes, strength = int(targets.max()) + 1, _STRENGTH / features.shape[1]
    probabilities = np.zeros((len(targets), num_classes))
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit that is nearly converged is good enough
        warnings.filterwarnings("ignore", message="The least populated class")  # those are not reported
        for fitted, held_out in folds.split(features, targets, groups):
            mean, scale = features[fitted].mean(axis=0), features[fitted].std(axis=0) + 1e-6
            model = LogisticRegression(C=strength, max_iter=200).fit((features[fitted] - mean) / scale, targets[fitted])
            probabilities[held_out[:, None], model.classes_] = model.predict_proba((features[held_out] - mean) / scale)
    return probabilities


def find_label_issues(targets: npt.NDArray[np.int64], probabilities: Numbers) -> list[LabelIssue]:
    """Return the pictures whose label is probably wrong, the most certain first.

    Classes with fewer than 5 pictures are left out.

    Raises:
        ConfigError: The package cleanlab is missing.

    Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021.
    """
    if not has_cleanlab():
        raise ConfigError(f"label errors are found by the package cleanlab: {install_command('labels')}")
    from cleanlab.filter import find_label_issues as find_issues

    is_wrong = find_issues(targets, probabilities, filter_by="confident_learning", n_jobs=1)
    counts = np.bincount(targets)
    issues = []
    for row in np.flatnonzero(is_wrong & (counts[targets] >= _MIN_PICTURES)):
        suggested = int(probabilities[row].argmax())
        own, other = float(probabilities[row, targets[row]]), float(probabilities[row, suggested])
        score = (1 + other - own) / 2
        if suggested != targets[row] and score >= _MIN_SCORE:
            issues.append(LabelIssue(int(row), score, own, suggested, other))
    return sorted(issues, key=lambda issue: -issue.score)


def build_label_findings(table: ImageTable, issues: Sequence[LabelIssue]) -> list[Finding]:
    """Return the finding of label errors for the rows of a table."""
    build = ItemBuilder(table).build
    items = [
        build(
            [issue.row],
            f"rather {table.class_names[issue.suggested]} ({percent(issue.suggested_probability, 0)}) than "
            f"{table.class_names[table.targets()[issue.row]]} ({percent(issue.label_probability, 0)})",
            score=issue.score,
            action="relabel",
            suggested_label=table.class_names[issue.suggested],
        )
        for issue in issues
    ]
    return build_finding("label_errors", "warning", "labels that are probably wrong", _EXPLANATION, items)
