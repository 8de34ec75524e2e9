"""The headline numbers of one split: fractions over samples, each with a 95 % interval."""

from collections.abc import Sequence
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from discern.evaluation.bootstrap import ClassCounts, count_classes, resample_counts, resample_means
from discern.evaluation.calibration import bound_ece, compute_brier, compute_gaps
from discern.evaluation.confused_pairs import ConfusedPair, find_confused_pairs
from discern.evaluation.intervals import Interval, IntervalDict, bootstrap_interval, wilson_interval
from discern.evaluation.ranking import can_rank, compute_ranking

# Keeps the loss of a probability that underflowed to zero finite, at about 87.
_SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)


class TopK(IntervalDict):
    """How often the true class is among the `k` most probable."""

    k: int


class Metrics(TypedDict):
    """What `metrics.json` holds of one split.

    `top_k` is left out for two classes, where it says nothing; `roc_auc` and `average_precision`, of the second class,
    are there for two classes only, and only where both have pictures.
    """

    count: int
    accuracy: IntervalDict
    top_k: NotRequired[TopK]
    macro_f1: IntervalDict
    weighted_f1: IntervalDict
    balanced_accuracy: IntervalDict
    roc_auc: NotRequired[IntervalDict]
    average_precision: NotRequired[IntervalDict]
    loss: IntervalDict
    brier: IntervalDict
    ece: IntervalDict
    confused_pairs: list[ConfusedPair]
    classes_absent: list[str]


class _ProbabilityScores(NamedTuple):
    """The scores of the probabilities themselves, whichever is largest."""

    loss: Interval
    brier: Interval
    ece: Interval


def compute_metrics(
    targets: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    class_names: Sequence[str],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Score probabilities (N, K) against targets (N,).

    Accuracy and top-k (k = 5, or K - 1 if that is less) carry Wilson intervals; all others carry stratified bootstrap
    intervals. Macro F1 averages over the classes that occur in the targets or in the predictions, weighted F1 over
    pictures by their class, balanced accuracy over the classes in the targets; classes without a picture are named in
    `classes_absent`. The loss is the mean negative log-likelihood in nats; `brier` lies in 0..2; `ece` is the expected
    calibration error.

    Raises:
        ValueError: There is no picture or only one class, shapes disagree, a target is not in 0..K-1 (as for unlabelled
            pictures), or a probability is not finite or outside 0..1.
    """
    check_scores(targets, probabilities, class_names)
    num_classes = len(class_names)
    ranks = _rank_targets(targets, probabilities)
    confusion = count_confusion(targets, probabilities.argmax(axis=1), num_classes)
    counts, resampled = count_classes(confusion), resample_counts(confusion, resamples=resamples, seed=seed)
    scores = _score_probabilities(targets, probabilities, resamples, seed)
    macro_f1, weighted_f1, balanced_accuracy = (
        bootstrap_interval(float(average(counts)), average(resampled)).to_dict()
        for average in (_macro_f1, _weighted_f1, _balanced_accuracy)
    )
    metrics: Metrics = {
        "count": len(targets),
        "accuracy": _top_interval(ranks, 1).to_dict(),
        "macro_f1": macro_f1,
        "weighted_f1": weighted_f1,
        "balanced_accuracy": balanced_accuracy,
        "loss": scores.loss.to_dict(),
        "brier": scores.brier.to_dict(),
        "ece": scores.ece.to_dict(),
        "confused_pairs": find_confused_pairs(confusion, class_names),
        "classes_absent": [name for name, count in zip(class_names, counts.true, strict=True) if count == 0],
    }
    if num_classes > 2:
        k = min(5, num_classes - 1)
        metrics["top_k"] = {"k": k, **_top_interval(ranks, k).to_dict()}
    if can_rank(targets, num_classes):
        ranking = compute_ranking(targets, probabilities[:, 1], resamples=resamples, seed=seed)
        metrics["roc_auc"] = ranking.roc_auc.to_dict()
        metrics["average_precision"] = ranking.average_precision.to_dict()
    return metrics


def check_scores(targets: NDArray[np.int64], probabilities: NDArray[np.floating], class_names: Sequence[str]) -> None:
    """Refuse what cannot be scored.

    Raises:
        ValueError: As listed for `compute_metrics`.
    """
    num_classes = len(class_names)
    if num_classes < 2:
        raise ValueError(f"expected at least two class names, got {num_classes}")
    if targets.ndim != 1 or len(targets) == 0:
        raise ValueError(f"expected targets of shape (N,) with N >= 1, got {targets.shape}")
    if probabilities.shape != (len(targets), num_classes):
        raise ValueError(f"expected probabilities {(len(targets), num_classes)}, got {probabilities.shape}")
    if targets.min() < 0 or targets.max() >= num_classes:
        raise ValueError(
            f"expected every target in 0..{num_classes - 1}, got {targets.min()}..{targets.max()}; "
            "leave unlabelled pictures (-1) out"
        )
    # NaN fails both comparisons, so it is refused here too.
    if not bool(np.all((probabilities >= 0) & (probabilities <= 1 + 1e-3))):
        raise ValueError("expected finite probabilities in 0..1; were logits passed, or did the model diverge?")


def count_confusion(targets: NDArray[np.int64], predictions: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Count pictures by true class (rows) and predicted class (columns): (K, K)."""
    cells = targets * num_classes + predictions
    return np.bincount(cells, minlength=num_classes * num_classes).reshape(num_classes, num_classes)


def compute_losses(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the negative log-likelihood (N,) of each target, in nats; probability 0 counts as 1e-38."""
    of_targets = probabilities[np.arange(len(targets)), targets].astype(np.float64)
    return np.asarray(-np.log(np.clip(of_targets, _SMALLEST_PROBABILITY, 1.0)))


def compute_f1(counts: ClassCounts) -> NDArray[np.float64]:
    """Return the F1 of each class (..., K), 0 for one that is neither true nor predicted."""
    return np.asarray(2 * counts.hits / np.maximum(counts.true + counts.predicted, 1))


def _score_probabilities(
    targets: NDArray[np.int64], probabilities: NDArray[np.floating], resamples: int, seed: int
) -> _ProbabilityScores:
    """Draw the resamples once for all of them, since that is what takes the time."""
    losses, distances = compute_losses(targets, probabilities), compute_brier(targets, probabilities)
    values = np.column_stack([losses, distances, compute_gaps(targets, probabilities)])
    means, resampled = values.mean(axis=0), resample_means(values, targets, resamples=resamples, seed=seed)
    return _ProbabilityScores(
        loss=bootstrap_interval(float(means[0]), resampled[:, 0]),
        brier=bootstrap_interval(float(means[1]), resampled[:, 1]),
        ece=bound_ece(means[2:], resampled[:, 2:]),
    )


def _rank_targets(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count the classes placed before each target; ties go by index, as in argmax, so that they earn nothing."""
    of_targets = probabilities[np.arange(len(targets)), targets][:, None]
    earlier = np.arange(probabilities.shape[1]) < targets[:, None]
    return np.asarray(((probabilities > of_targets) | ((probabilities == of_targets) & earlier)).sum(axis=1))


def _top_interval(ranks: NDArray[np.int64], k: int) -> Interval:
    return wilson_interval(int((ranks < k).sum()), len(ranks))


def _macro_f1(counts: ClassCounts) -> NDArray[np.float64]:
    present = counts.true + counts.predicted > 0
    return np.asarray(compute_f1(counts).sum(axis=-1) / present.sum(axis=-1))


def _weighted_f1(counts: ClassCounts) -> NDArray[np.float64]:
    return np.asarray(compute_f1(counts) @ counts.true / counts.true.sum())


def _balanced_accuracy(counts: ClassCounts) -> NDArray[np.float64]:
    present = counts.true > 0
    return np.asarray((counts.hits[..., present] / counts.true[present]).mean(axis=-1))
