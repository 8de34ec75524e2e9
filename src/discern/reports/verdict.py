"""The result of a run in plain words: the accuracy, what to compare it with, and what limits it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np
import pandas as pd

from discern.errors import cut
from discern.evaluation.intervals import Interval
from discern.evaluation.metrics import Metrics
from discern.evaluation.predictions import OUT_OF_FOLD
from discern.reports.run_facts import RunFacts
from discern.reports.wording import count_of, grouped, join_words, percent, percent_range

_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_WIDE_INTERVAL = 0.1
_WIDE_GAP = 0.15
_LEARNED = 0.9
_ORIGINS = {
    "validation": "with which the model was chosen",
    OUT_OF_FOLD: "each answered by the member of the ensemble that had not seen it in training",
}


class Baseline(NamedTuple):
    """The accuracy of always answering the largest class."""

    class_name: str
    share: float
    is_shared: bool = False

    @property
    def wording(self) -> str:
        """The answer, as it follows “always answering”."""
        if self.is_shared:
            return "one and the same class"
        return f"{quote(self.class_name)}, the largest class,"


class BestEpoch(NamedTuple):
    """The epoch whose weights were kept, the row of the history that it has (from 1), and the number of epochs."""

    epoch: int
    place: int
    epochs: int
    row: "pd.Series[float]"

    @property
    def gap(self) -> float:
        """Training accuracy less validation accuracy; not a number where there is no validation."""
        return float(self.row["train_accuracy"] - self.row["validation_accuracy"])


@dataclass(frozen=True)
class Verdict:
    """The top of the page."""

    accuracy: Interval
    split: str
    count: int
    right: int
    baseline: Baseline | None
    sentences: tuple[str, ...]
    limits: tuple[str, ...]


def build_verdict(facts: RunFacts) -> Verdict | None:
    """Return the result on the reported split; None where nothing was evaluated."""
    metrics = facts.reported
    if metrics is None or facts.split is None:
        return None
    baseline = find_baseline(facts)
    return Verdict(
        accuracy=metrics.accuracy,
        split=facts.split,
        count=metrics.count,
        right=round(metrics.accuracy.value * metrics.count),
        baseline=baseline,
        sentences=tuple(_describe(facts, metrics, baseline)),
        limits=tuple(_find_limits(facts, metrics)),
    )


def find_baseline(facts: RunFacts) -> Baseline | None:
    """Return the largest class of the reported split and its share."""
    if facts.per_class is not None:
        counts = pd.Series({scores.name: scores.pictures for scores in facts.per_class}, dtype="int64")
    elif facts.answers is not None:
        counts = facts.answers.frame["true"].value_counts()
    else:
        return None
    total, largest = counts.sum(), counts.max()
    return (
        Baseline(str(counts.idxmax()), float(largest / total), bool((counts == largest).all())) if total > 0 else None
    )


def find_best_epoch(facts: RunFacts) -> BestEpoch | None:
    """Return the epoch that was kept; where the bundle does not say, the best one by the monitored score."""
    history = facts.history
    if history is None:
        return None
    epochs = history.reset_index(drop=True)
    known = None if facts.record is None else facts.record.best_epoch
    if known is not None and (epochs["epoch"] == known).any():
        place = int(np.flatnonzero(epochs["epoch"] == known)[0])
        return BestEpoch(known, place + 1, len(history), epochs.iloc[place])
    validated = epochs[epochs["validation_loss"].notna() & epochs["validation_accuracy"].notna()]
    by_loss = facts.plan is not None and facts.plan.training.monitor == "validation_loss"
    if not by_loss:
        validated = validated[validated["validation_accuracy"] == validated["validation_accuracy"].max()]
    place = len(epochs) - 1
    if len(validated):
        place = int(validated.index.to_numpy()[validated["validation_loss"].to_numpy().argmin()])
    row = epochs.iloc[place]
    return BestEpoch(int(row["epoch"]), place + 1, len(history), row)


def quote(name: str) -> str:
    """Return a class name as part of a sentence; one written from right to left does not turn the rest around."""
    shown = cut(name, 40)
    return f"“{shown}”" if shown.isascii() else f"“{_ISOLATE}{shown}{_END_ISOLATE}”"


def _describe(facts: RunFacts, metrics: Metrics, baseline: Baseline | None) -> Iterator[str]:
    accuracy, right = metrics.accuracy, round(metrics.accuracy.value * metrics.count)
    origin = _ORIGINS.get(facts.split or "", "that it had not seen in training")
    if facts.plan is not None and not facts.plan.phases:
        origin = "that nothing was trained on here"
    kind = "" if facts.split == "all" else f"{facts.split} "
    yield (
        f"Of {count_of(metrics.count, f'{kind}picture')} {origin}, it classifies {grouped(right)} correctly. "
        "With this number of pictures, the accuracy on all pictures like these may be anywhere from "
        f"{percent_range(accuracy.low, accuracy.high)} (95 % confidence interval)."
    )
    if baseline is not None:
        always = f"Always answering {baseline.wording} would be correct for {percent(baseline.share)} of them"
        yield f"{always}: {_compare_to_baseline(accuracy, baseline)}."
    yield from _describe_folds(facts)
    yield from _describe_teacher(facts)
    yield from _describe_fit(facts)


def _describe_folds(facts: RunFacts) -> Iterator[str]:
    """Say how the folds differ, and what their members say of the ensemble."""
    folds = () if facts.record is None else facts.record.folds
    if not folds:
        return
    accuracies = np.array([fold.accuracy.value for fold in folds])
    yield (
        f"In {len(folds)} folds, the accuracy of one member is {percent(accuracies.mean())} on average, from "
        f"{percent_range(accuracies.min(), accuracies.max())} (standard deviation {100 * accuracies.std(ddof=1):.1f} "
        "points)."
    )
    if facts.split == OUT_OF_FOLD:
        yield (
            "The classifier to use is the ensemble of all members, of which each has seen only a part of the pictures; "
            "its accuracy on new pictures is probably a little higher than that of single members, and is not measured "
            "here."
        )


def _describe_teacher(facts: RunFacts) -> Iterator[str]:
    """Say how it does beside the classifier that it learnt from."""
    comparison = None if facts.record is None else facts.record.teacher
    if comparison is None:
        return
    value, low, high = (100 * end for end in comparison.difference)
    found = f"the difference is {value:+.1f} points [{low:+.1f}, {high:+.1f}]"
    if not comparison.is_decided:
        meaning = "which these pictures cannot distinguish from none"
    else:
        meaning = "so it is better" if value > 0 else "so where accuracy counts, it does not replace its teacher"
    yield (
        f"It also learnt from the answers of an earlier classifier, its teacher, which is correct for "
        f"{percent(comparison.accuracy_a.value)} of the same pictures: {found}, {meaning}."
    )


def _compare_to_baseline(accuracy: Interval, baseline: Baseline) -> str:
    if accuracy.low > baseline.share:
        return "the whole interval is above this baseline"
    if accuracy.high < baseline.share:
        return "the classifier is worse than this baseline"
    return "the interval includes this baseline, so there is no evidence that the classifier has learned anything"


def _describe_fit(facts: RunFacts) -> Iterator[str]:
    """Say what training accuracy is compared with, and what that can tell; see `_find_gap`."""
    best = find_best_epoch(facts)
    if best is None or not isfinite(best.gap):
        return
    known = float(best.row["train_accuracy"])
    shown = (
        f"at the epoch that was kept, it classified {percent(known)} of the training pictures (while it learned from "
        f"them) and {percent(float(best.row['validation_accuracy']))} of the validation pictures correctly"
    )
    if _mixes_pictures(facts):
        yield f"Training pictures were mixed, so their accuracy does not show whether it overfits: {shown}."
        return
    test = facts.metrics.get("test")
    if test is None:
        yield (
            f"Whether it overfits is not known: {shown}; but these chose the epoch, so its gap to new pictures is "
            "probably wider. A test split would measure it."
        )
        return
    shown += f", and {percent(test.accuracy.value)} of {count_of(test.count, 'test picture')}, which chose nothing"
    if known > test.accuracy.high:
        size = "" if known - test.accuracy.value >= _WIDE_GAP else " somewhat"
        yield f"It overfits{size}, by more than chance explains: {shown}."
    else:
        possible = max(0.0, known - test.accuracy.low)
        yield (
            f"It is not shown to overfit: {shown}. With this number of pictures, the gap to new ones "
            f"may still be up to {100 * possible:.0f} points."
        )


def _find_gap(facts: RunFacts, best: BestEpoch) -> float:
    """Return by how much training accuracy is above that of test, or of validation where there is no test."""
    test = facts.metrics.get("test")
    return best.gap if test is None else max(best.gap, float(best.row["train_accuracy"]) - test.accuracy.value)


def _find_limits(facts: RunFacts, metrics: Metrics) -> Iterator[str]:
    best = find_best_epoch(facts)
    if best is not None and isfinite(best.gap) and not _mixes_pictures(facts):
        yield from _limit_by_fit(facts, best)
    yield from _limit_by_pairs(metrics)
    yield from _limit_by_classes(facts)
    width = metrics.accuracy.high - metrics.accuracy.low
    if width >= _WIDE_INTERVAL:
        yield (
            f"The number of pictures limits the precision: the interval is {100 * width:.0f} percentage points wide. "
            f"Four times as many {facts.split if facts.split != 'all' else 'such'} pictures would about halve it."
        )


def _limit_by_fit(facts: RunFacts, best: BestEpoch) -> Iterator[str]:
    known, gap = float(best.row["train_accuracy"]), _find_gap(facts, best)
    if gap >= _WIDE_GAP:
        yield (
            f"It fits its training pictures much better than new ones{_name_typical_count(facts)}: more pictures, "
            "stronger augmentation or fewer trained layers help most."
        )
    elif known < _LEARNED:
        yield (
            f"It classifies only {percent(known)} of its training pictures correctly: training more layers, for "
            "longer, or at a larger image size helps more than further pictures of the same kind."
        )
    if best.place == best.epochs and best.epochs > 1 and gap < _WIDE_GAP:
        yield "The last epoch was the best: more epochs may help."


def _name_typical_count(facts: RunFacts) -> str:
    counts = facts.split_counts
    if counts is None or "train" not in counts:
        return ""
    return f" (it has {counts['train'].median():.0f} per class)"


def _limit_by_pairs(metrics: Metrics) -> Iterator[str]:
    """Name the few pairs of classes that account for half of the mistakes, where there are such."""
    mistakes = metrics.count - round(metrics.accuracy.value * metrics.count)
    confused_classes = {name for pair in metrics.confused_pairs for name in (pair.first, pair.second)}
    if mistakes < 5 or len(confused_classes) < 3:
        return
    total = 0
    for place, pair in enumerate(metrics.confused_pairs[:3], start=1):
        total += pair.count
        if 2 * total >= mistakes:
            pairs = "; ".join(f"{quote(one.first)} and {quote(one.second)}" for one in metrics.confused_pairs[:place])
            yield f"{grouped(total)} of its {grouped(mistakes)} mistakes are between only a few classes: {pairs}."
            return


def _limit_by_classes(facts: RunFacts) -> Iterator[str]:
    classes = facts.per_class or ()
    known = sorted((scores.recall, place) for place, scores in enumerate(classes) if scores.recall is not None)
    weak = [classes[place] for recall, place in known if recall < 0.5]
    if len(classes) < 3 or not 0 < len(weak) < len(classes):
        return
    named = join_words([f"{quote(scores.name)} ({percent(scores.recall, 0)})" for scores in weak[:3]])
    less = f"{grouped(len(weak))} of {grouped(len(classes))} classes are" if len(weak) > 1 else "One class is"
    yield f"{less} recognised in less than half of the pictures: {'the weakest are ' if len(weak) > 3 else ''}{named}."


def _mixes_pictures(facts: RunFacts) -> bool:
    return facts.plan is not None and facts.plan.training.mixup + facts.plan.training.cutmix > 0
