"""The tables behind the metrics: scores of each class, and the confusion matrix."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from discern.evaluation.bootstrap import count_classes
from discern.evaluation.intervals import Interval, exact_interval
from discern.evaluation.metrics import check_scores, count_confusion
from discern.evaluation.ranking import compute_ranking


def compute_per_class(
    targets: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
) -> pd.DataFrame:
    """Score each class: class_name, count, predicted_count, precision, recall and f1, recall_low, f1_high and so on.

    Recall and F1 carry exact 95 % intervals. A fraction of nothing, such as the
    precision of a class that was never predicted, is NaN.

    Raises:
        ValueError: As for `compute_metrics`.
    """
    check_scores(targets, probabilities, class_names)
    confusion = count_confusion(targets, probabilities.argmax(axis=1), len(class_names))
    counts = count_classes(confusion)
    nothing = (np.nan, np.nan, np.nan)
    recalls = [
        exact_interval(int(hits), int(count)) if count else nothing
        for hits, count in zip(counts.hits, counts.true, strict=True)
    ]
    f1s = [
        _bound_f1(int(hits), int(marked)) if marked else nothing
        for hits, marked in zip(counts.hits, counts.true + counts.predicted - counts.hits, strict=True)
    ]
    recall, recall_low, recall_high = zip(*recalls, strict=True)
    f1, f1_low, f1_high = zip(*f1s, strict=True)
    return pd.DataFrame(
        {
            "class_name": list(class_names),
            "count": counts.true,
            "predicted_count": counts.predicted,
            "precision": _divide(counts.hits, counts.predicted),
            "recall": recall,
            "recall_low": recall_low,
            "recall_high": recall_high,
            "f1": f1,
            "f1_low": f1_low,
            "f1_high": f1_high,
        }
    )


def compute_class_ranking(
    targets: NDArray[np.int64], probabilities: NDArray[np.floating], class_names: Sequence[str]
) -> pd.DataFrame:
    """Score how well the probability of each class ranks its pictures before all others.

    The columns are class_name, count, roc_auc, average_precision and the ends of their 95 % intervals,
    roc_auc_low and so on. A class without pictures, or with all of them, has NaN.
    """
    rows = []
    for index, name in enumerate(class_names):
        is_class = (targets == index).astype(np.int64)
        row: dict[str, object] = {"class_name": name, "count": int(is_class.sum())}
        if 0 < is_class.sum() < len(is_class):
            for score, interval in compute_ranking(is_class, probabilities[:, index])._asdict().items():
                row |= {score: interval.value, f"{score}_low": interval.low, f"{score}_high": interval.high}
        rows.append(row)
    return pd.DataFrame(rows)


def compute_confusion(
    targets: NDArray[np.int64], predictions: NDArray[np.int64], class_names: Sequence[str]
) -> pd.DataFrame:
    """Count pictures by true name (index) and predicted name (columns), every class in both, in the given order."""
    names = list(class_names)
    return pd.DataFrame(
        count_confusion(targets, predictions, len(names)),
        index=pd.Index(names, name="true"),
        columns=pd.Index(names, name="predicted"),
    )


def _bound_f1(hits: int, marked: int) -> Interval:
    """Return F1 with its interval, of a class that so many pictures are of, or are said to be of, or both.

    A share J of these are both, a plain fraction; F1 is 2 J / (1 + J), so that the ends follow from those of J.
    """
    return Interval(*(2 * end / (1 + end) for end in exact_interval(hits, marked)))


def _divide(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return part / whole, NaN where whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0))
