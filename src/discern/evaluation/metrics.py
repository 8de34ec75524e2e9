"""The metrics of one split: fractions over samples, each with a 95 % interval, and how they stand in metrics.json."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
)

from discern.counts import count_of
from discern.errors import DataError
from discern.evaluation.bootstrap import ClassCounts, count_classes, resample_counts
from discern.evaluation.calibration import compute_brier, measure_ece
from discern.evaluation.confused_pairs import ConfusedPair, find_confused_pairs
from discern.evaluation.custom_metrics import MetricFunction, compute_custom_metrics
from discern.evaluation.intervals import Interval, SavedInterval, exact_interval, mean_interval, score_interval
from discern.evaluation.ranking import can_rank, compute_ranking
from discern.files import read_json, write_json
from discern.notebook import build_html_table
from discern.percent import percent

_SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)
"""Keeps the loss of a probability that underflowed to zero finite, at about 87."""


class TopK(BaseModel):
    """How often the true class is among the `k` most probable, with its interval."""

    model_config = ConfigDict(frozen=True)

    k: int
    value: float
    low: float
    high: float


class Metrics(BaseModel):
    """The metrics of one split, as metrics.json holds them by split.

    `top_k` is None for two classes, where it says nothing; `roc_auc` and `average_precision`, of the second class, are
    None unless there are two classes and pictures of both. Any other score is None only where a file of an older
    version lacks it. `custom` has the values of user-given metric functions.
    """

    model_config = ConfigDict(frozen=True)

    count: Annotated[int, Field(ge=1)]
    accuracy: SavedInterval
    top_k: TopK | None = None
    macro_f1: SavedInterval | None = None
    weighted_f1: SavedInterval | None = None
    balanced_accuracy: SavedInterval | None = None
    roc_auc: SavedInterval | None = None
    average_precision: SavedInterval | None = None
    loss: SavedInterval | None = None
    brier: SavedInterval | None = None
    ece: SavedInterval | None = None
    confused_pairs: tuple[ConfusedPair, ...] = ()
    classes_absent: tuple[str, ...] = ()
    custom: dict[str, float] = {}

    @model_serializer(mode="wrap")
    def _leave_out_missing(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        content: dict[str, Any] = serialize(self)
        return {name: value for name, value in content.items() if value is not None and value != {}}

    def describe(self) -> str:
        """Return one line for people."""
        accuracy, interval = percent(self.accuracy.value), self._describe_interval()
        scores = [f"{name} {value}" for name, value in self._list_scores()]
        return ", ".join([f"accuracy {accuracy} (95 % interval {interval})", *scores, count_of(self.count, "picture")])

    def summarize(self) -> dict[str, str]:
        """Return the same by name, as a row of a table for people."""
        accuracy, interval = percent(self.accuracy.value), self._describe_interval()
        first = {"pictures": str(self.count), "accuracy": accuracy, "95 % interval": interval}
        return first | dict(self._list_scores())

    def _describe_interval(self) -> str:
        return f"{percent(self.accuracy.low)} to {percent(self.accuracy.high)}"

    def _list_scores(self) -> Iterator[tuple[str, str]]:
        if self.macro_f1 is not None:
            yield "macro F1", f"{self.macro_f1.value:.3f}"
        if self.loss is not None:
            yield "loss", f"{self.loss.value:.4f}"
        if self.ece is not None:
            yield "calibration error", percent(self.ece.value)
        yield from ((name, f"{value:.4g}") for name, value in self.custom.items())

    def __repr__(self) -> str:
        return f"<Metrics: {self.describe()}>"

    def _repr_html_(self) -> str:
        return build_html_table(pd.DataFrame([self.summarize()]))


_BY_SPLIT = TypeAdapter(dict[str, Metrics])


def save_metrics(metrics: Mapping[str, Metrics], path: str | Path) -> None:
    """Write metrics by split as JSON."""
    write_json(Path(path), {split: one.model_dump(mode="json") for split, one in metrics.items()})


def load_metrics(path: str | Path) -> dict[str, Metrics]:
    """Read what `save_metrics` wrote: metrics by split.

    Raises:
        DataError: The file is missing or damaged.
    """
    try:
        return _BY_SPLIT.validate_python(read_json(Path(path)))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
    except (OSError, ValueError) as error:
        reason = str(error)
    raise DataError(f"{path}: not readable as metrics ({reason}). Evaluate again to write the file again.")


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
    custom: Mapping[str, MetricFunction] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Metrics:
    """Score probabilities (N, K) against targets (N,).

    Accuracy and top-k (k = 5, or K - 1 if that is less) carry exact intervals; so does balanced accuracy, which has the
    same value and interval where classes are equally large. F1 and the scores of rankings carry such intervals by their
    variance in a stratified bootstrap, the loss carries Student's. Macro F1 averages over the classes that occur in the
    targets or in the predictions, weighted F1 over pictures by their class, balanced accuracy over the classes in the
    targets; classes without a picture are named in `classes_absent`. The loss is the mean negative log-likelihood in
    nats; `brier` lies in 0..2; `ece` is the expected calibration error. `custom` functions are called with targets and
    probabilities.

    Raises:
        ValueError: There is no picture or only one class, shapes disagree, a target is not in 0..K-1 (as for unlabelled
            pictures), or a probability is not finite or outside 0..1.
        ConfigError: A custom function returns something else than a number.
    """
    check_scores(targets, probabilities, class_names)
    num_classes = len(class_names)
    ranks = _rank_targets(targets, probabilities)
    confusion = count_confusion(targets, probabilities.argmax(axis=1), num_classes)
    counts, resampled = count_classes(confusion), resample_counts(confusion, resamples=resamples, seed=seed)
    scores = _score_probabilities(targets, probabilities, resamples, seed)
    even_count = _count_evenly(counts)
    ranking = None
    if can_rank(targets, num_classes):
        ranking = compute_ranking(targets, probabilities[:, 1], resamples=resamples, seed=seed)
    return Metrics(
        count=len(targets),
        accuracy=_top_interval(ranks, 1),
        top_k=_build_top_k(ranks, min(5, num_classes - 1)) if num_classes > 2 else None,
        macro_f1=_bound_mean_f1(float(_macro_f1(counts)), _macro_f1(resampled), even_count),
        weighted_f1=_bound_mean_f1(float(_weighted_f1(counts)), _weighted_f1(resampled), len(targets)),
        balanced_accuracy=_bound_balanced_accuracy(counts, even_count),
        roc_auc=None if ranking is None else ranking.roc_auc,
        average_precision=None if ranking is None else ranking.average_precision,
        loss=scores.loss,
        brier=scores.brier,
        ece=scores.ece,
        confused_pairs=find_confused_pairs(confusion, class_names),
        classes_absent=tuple(name for name, count in zip(class_names, counts.true, strict=True) if count == 0),
        custom=compute_custom_metrics(custom or {}, targets, probabilities),
    )


def check_scores(targets: NDArray[np.int64], probabilities: NDArray[np.floating], class_names: Sequence[str]) -> None:
    """Check that probabilities can be scored against targets.

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
    losses, distances = compute_losses(targets, probabilities), compute_brier(targets, probabilities)
    brier = score_interval(float(distances.mean()) / 2, float(distances.var()) / 4 / len(targets), len(targets))
    return _ProbabilityScores(
        loss=mean_interval(losses, usual=float(np.log(probabilities.shape[1]))),
        brier=Interval(*(2 * end for end in brier)),
        ece=measure_ece(targets, probabilities, resamples=resamples, seed=seed),
    )


def _rank_targets(targets: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Count the classes placed before each target; ties go by index, as in argmax, so that they earn nothing."""
    of_targets = probabilities[np.arange(len(targets)), targets][:, None]
    earlier = np.arange(probabilities.shape[1]) < targets[:, None]
    return np.asarray(((probabilities > of_targets) | ((probabilities == of_targets) & earlier)).sum(axis=1))


def _top_interval(ranks: NDArray[np.int64], k: int) -> Interval:
    return exact_interval(int((ranks < k).sum()), len(ranks))


def _build_top_k(ranks: NDArray[np.int64], k: int) -> TopK:
    return TopK(k=k, **_top_interval(ranks, k).to_dict())


def _macro_f1(counts: ClassCounts) -> NDArray[np.float64]:
    present = counts.true + counts.predicted > 0
    return np.asarray(compute_f1(counts).sum(axis=-1) / present.sum(axis=-1))


def _weighted_f1(counts: ClassCounts) -> NDArray[np.float64]:
    return np.asarray(compute_f1(counts) @ counts.true / counts.true.sum())


def _count_evenly(counts: ClassCounts) -> float:
    """Return how many pictures of equally large classes would tell as much of a mean over classes as these do.

    Source: the effective sample size of Kish, "Survey sampling", 1965, for weights that make classes equally large.
    """
    true = counts.true[counts.true > 0]
    return float(len(true) ** 2 / (1 / true).sum())


def _bound_mean_f1(value: float, resampled: NDArray[np.float64], max_count: float) -> Interval:
    """Return the interval of a mean of F1, corrected for the bias that the resampled values (R,) show."""
    corrected = min(1.0, max(0.0, 2 * value - float(resampled.mean())))
    _, low, high = score_interval(corrected, float(resampled.var()), max_count)
    return Interval(value, min(value, low), max(value, high))


def _bound_balanced_accuracy(counts: ClassCounts, even_count: float) -> Interval:
    true = counts.true[counts.true > 0]
    recalls = counts.hits[counts.true > 0] / true
    variance = (recalls * (1 - recalls) / true).sum() / len(true) ** 2
    return score_interval(float(recalls.mean()), float(variance), even_count)
