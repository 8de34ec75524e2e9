"""For two classes: how well the probability of the second ranks its pictures above those of the first."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.bootstrap import draw_weights
from discern.evaluation.intervals import Interval, score_interval


class RankingScores(NamedTuple):
    """Area under the ROC curve and average precision, each 0..1."""

    roc_auc: Interval
    average_precision: Interval


class RankingCurves(NamedTuple):
    """The points of both curves, each array running along its curve."""

    false_positive_rates: NDArray[np.float64]
    true_positive_rates: NDArray[np.float64]
    recalls: NDArray[np.float64]
    precisions: NDArray[np.float64]


class _Resampled(NamedTuple):
    """Both scores of weighted pictures: (R,) each."""

    roc_auc: NDArray[np.float64]
    average_precision: NDArray[np.float64]


def can_rank(targets: NDArray[np.int64], num_classes: int) -> bool:
    """Return whether there are two classes, and pictures of both."""
    return num_classes == 2 and len(np.unique(targets)) == 2


def compute_ranking(
    targets: NDArray[np.int64], scores: NDArray[np.floating], *, resamples: int = 1000, seed: int = 0
) -> RankingScores:
    """Return how well scores (N,) rank pictures of class 1 above those of class 0, with 95 % intervals.

    Their variance is that of stratified bootstrap resamples. A ranking without a mistake is as certain as a
    fraction of twice as many pictures as the smaller class has.
    """
    # Imported where it is needed, because it takes a second that evaluations of more classes can do without.
    from sklearn.metrics import average_precision_score, roc_auc_score

    parts = [
        score_weighted(weights, targets, scores) for weights in draw_weights(targets, resamples=resamples, seed=seed)
    ]
    roc_auc, average_precision = (np.concatenate(column) for column in zip(*parts, strict=True))
    most = 2 * int(np.bincount(targets, minlength=2).min())
    return RankingScores(
        score_interval(float(roc_auc_score(targets, scores)), float(roc_auc.var()), most),
        score_interval(float(average_precision_score(targets, scores)), float(average_precision.var()), most),
    )


def compute_ranking_curves(targets: NDArray[np.int64], scores: NDArray[np.floating]) -> RankingCurves:
    """Return the ROC and the precision-recall curve of class 1."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    false_positive_rates, true_positive_rates, _ = roc_curve(targets, scores)
    precisions, recalls, _ = precision_recall_curve(targets, scores)
    return RankingCurves(false_positive_rates, true_positive_rates, recalls, precisions)


def score_weighted(
    weights: NDArray[np.float64], targets: NDArray[np.int64], scores: NDArray[np.floating]
) -> _Resampled:
    """Score many resamples at once, which scikit-learn cannot; weights (R, N) are how often each picture counts."""
    order = np.argsort(-scores, kind="stable")
    # Equal scores have one threshold: the last of them.
    thresholds = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    weights, is_positive = weights[:, order], targets[order] == 1
    found = np.cumsum(weights * is_positive, axis=1)[:, thresholds]
    false_alarms = np.cumsum(weights * ~is_positive, axis=1)[:, thresholds]
    newly_found, new_alarms = (np.diff(counts, prepend=0, axis=1) for counts in (found, false_alarms))
    area = (new_alarms * (found - newly_found / 2)).sum(axis=1) / (found[:, -1] * false_alarms[:, -1])
    precision = found / np.maximum(found + false_alarms, 1)
    return _Resampled(area, (newly_found * precision).sum(axis=1) / found[:, -1])
