"""What came of a run, in plain words: the number, what it is worth, what is wrong, and what limits it."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal, NamedTuple

import pandas as pd

from discern.report.run_facts import RunFacts
from discern.report.saved import SavedInterval, SavedMetrics
from discern.report.wording import count_of, grouped, join_words, percent, percent_range, shorten

Severity = Literal["error", "warning", "note"]

_FEW_TRAINED = 10
_FEW_TESTED = 5
_WIDE_INTERVAL = 0.1
_CLEAR_GAP = 0.05
_WIDE_GAP = 0.15
_LEARNT = 0.9
_BAD_CALIBRATION = 0.1
_NAMED = 5


class Notice(NamedTuple):
    """Something that a reader must know before anything else."""

    severity: Severity
    title: str
    text: str


class Chance(NamedTuple):
    """What always answering the largest class would score."""

    class_name: str
    share: float
    is_shared: bool = False

    @property
    def wording(self) -> str:
        """What is answered, as it follows “always answering”."""
        if self.is_shared:
            return "one and the same class"
        return f"{quote(self.class_name)}, the largest class,"


class BestEpoch(NamedTuple):
    """The epoch whose weights were kept, counted from 1, and how many there were."""

    epoch: int
    epochs: int
    row: "pd.Series[float]"

    @property
    def gap(self) -> float:
        """Training accuracy less validation accuracy; not a number where there is no validation."""
        return float(self.row["train_accuracy"] - self.row["validation_accuracy"])


@dataclass(frozen=True)
class Verdict:
    """The top of the page."""

    accuracy: SavedInterval
    split: str
    count: int
    right: int
    chance: Chance | None
    sentences: tuple[str, ...]
    limits: tuple[str, ...]


def build_verdict(facts: RunFacts) -> Verdict | None:
    """Return what the reported split says of the classifier; None where nothing was evaluated."""
    metrics = facts.reported
    if metrics is None or facts.split is None:
        return None
    chance = find_chance(facts)
    return Verdict(
        accuracy=metrics.accuracy,
        split=facts.split,
        count=metrics.count,
        right=round(metrics.accuracy.value * metrics.count),
        chance=chance,
        sentences=tuple(_describe(facts, metrics, chance)),
        limits=tuple(_find_limits(facts, metrics)),
    )


def build_notices(facts: RunFacts) -> list[Notice]:
    """Return what is wrong, the worst first."""
    notices = [*_warn_of_run(facts), *_warn_of_scores(facts), *_warn_of_data(facts)]
    order = ["error", "warning", "note"]
    return sorted(notices, key=lambda notice: order.index(notice.severity))


def find_chance(facts: RunFacts) -> Chance | None:
    """Return the largest class of the reported split and its share."""
    if facts.per_class is not None and "count" in facts.per_class:
        counts = facts.per_class.set_index("class_name")["count"]
    elif facts.answers is not None:
        counts = facts.answers.frame["true"].value_counts()
    else:
        return None
    total, most = counts.sum(), counts.max()
    return Chance(str(counts.idxmax()), float(most / total), bool((counts == most).all())) if total > 0 else None


def find_best_epoch(facts: RunFacts) -> BestEpoch | None:
    """Return the epoch that was kept: the first of the best ones by what the run monitored, else the last."""
    history = facts.history
    if history is None:
        return None
    validated = history[history["validation_loss"].notna() & history["validation_accuracy"].notna()]
    if validated.empty:
        row = history.iloc[-1]
    elif facts.settings is not None and facts.settings.training.monitor == "validation_loss":
        row = validated.loc[validated["validation_loss"].idxmin()]
    else:
        best = validated[validated["validation_accuracy"] == validated["validation_accuracy"].max()]
        row = best.loc[best["validation_loss"].idxmin()]
    return BestEpoch(int(row["epoch"]), len(history), row)


def quote(name: str) -> str:
    """Return a class name as it stands in a sentence."""
    return f"“{shorten(name, 40)}”"


def _describe(facts: RunFacts, metrics: SavedMetrics, chance: Chance | None) -> Iterator[str]:
    accuracy, right = metrics.accuracy, round(metrics.accuracy.value * metrics.count)
    played = "by which the best epoch was chosen" if facts.split == "validation" else "that it had never seen"
    kind = "" if facts.split == "all" else f"{facts.split} "
    yield (
        f"Of {count_of(metrics.count, f'{kind}picture')} {played}, it names {grouped(right)} correctly. "
        f"With so many pictures, the true rate may lie anywhere from {percent_range(accuracy.low, accuracy.high)} "
        "(95 % interval)."
    )
    if chance is not None:
        always = f"Always answering {chance.wording} would be right for {percent(chance.share)}"
        yield f"{always}; {_compare_to_chance(accuracy, chance)}."
    yield from _describe_fit(facts)


def _compare_to_chance(accuracy: SavedInterval, chance: Chance) -> str:
    if accuracy.low > chance.share:
        return "the whole interval lies above that"
    if accuracy.high < chance.share:
        return "the classifier is worse than that"
    return "the interval includes that, so nothing shows that it has learnt anything"


def _describe_fit(facts: RunFacts) -> Iterator[str]:
    best = find_best_epoch(facts)
    if best is None or not isfinite(best.gap):
        return
    shown = (
        f"at the epoch that was kept it names {percent(best.row['train_accuracy'])} of the training pictures "
        f"and {percent(best.row['validation_accuracy'])} of the validation pictures"
    )
    if _mixes_pictures(facts):
        yield f"Training pictures were mixed with each other, so that their accuracy says nothing of overfitting: {shown}."
    elif best.gap >= _WIDE_GAP:
        yield f"It overfits: {shown}."
    elif best.gap >= _CLEAR_GAP:
        yield f"It overfits somewhat: {shown}."
    else:
        yield f"It does not overfit: {shown}."


def _find_limits(facts: RunFacts, metrics: SavedMetrics) -> Iterator[str]:
    best = find_best_epoch(facts)
    if best is not None and isfinite(best.gap) and not _mixes_pictures(facts):
        yield from _limit_by_fit(facts, best)
    yield from _limit_by_pairs(metrics)
    yield from _limit_by_classes(facts)
    width = metrics.accuracy.high - metrics.accuracy.low
    if width >= _WIDE_INTERVAL:
        yield (
            f"What can be said is limited by the number of pictures: the interval is {100 * width:.0f} points wide, and "
            f"four times as many {facts.split if facts.split != 'all' else 'such'} pictures would halve it."
        )


def _limit_by_fit(facts: RunFacts, best: BestEpoch) -> Iterator[str]:
    known = float(best.row["train_accuracy"])
    if best.gap >= _WIDE_GAP:
        yield (
            f"It knows its training pictures and carries little of that over to others{_name_typical_count(facts)}: more "
            "pictures, stronger augmentation or fewer trained layers help most."
        )
    elif known < _LEARNT and best.gap < _CLEAR_GAP:
        yield (
            f"Even of its training pictures it names only {percent(known)}: training more layers, longer, or at a larger "
            "image size helps more than further pictures of the same kind."
        )
    if best.epoch == best.epochs and best.epochs > 1 and best.gap < _WIDE_GAP:
        yield "The last epoch was the best one: more epochs may help."


def _name_typical_count(facts: RunFacts) -> str:
    counts = facts.split_counts
    if counts is None or "train" not in counts:
        return ""
    return f" (it has seen {counts['train'].median():.0f} a class)"


def _limit_by_pairs(metrics: SavedMetrics) -> Iterator[str]:
    """Name the few pairs that make half of the mistakes, where there are such."""
    mistakes = metrics.count - round(metrics.accuracy.value * metrics.count)
    known_classes = {name for pair in metrics.confused_pairs for name in (pair.first, pair.second)}
    if mistakes < 5 or len(known_classes) < 3:
        return
    total = 0
    for place, pair in enumerate(metrics.confused_pairs[:3], start=1):
        total += pair.count
        if 2 * total >= mistakes:
            names = join_words([f"{quote(one.first)} and {quote(one.second)}" for one in metrics.confused_pairs[:place]])
            yield f"{grouped(total)} of its {grouped(mistakes)} mistakes are between {names}."
            return


def _limit_by_classes(facts: RunFacts) -> Iterator[str]:
    table = facts.per_class
    if table is None or not {"recall", "count"} <= set(table.columns) or len(table) < 3:
        return
    weak = table[table["recall"] < 0.5].sort_values("recall", kind="stable")
    if 0 < len(weak) < len(table):
        named = [f"{quote(row.class_name)} ({percent(row.recall, 0)})" for row in weak.head(3).itertuples()]
        less = f"{grouped(len(weak))} of {grouped(len(table))} classes are" if len(weak) > 1 else "One class is"
        more = "the weakest are " if len(weak) > 3 else ""
        yield f"{less} recognised less than half of the time: {more}{join_words(named)}."


def _warn_of_run(facts: RunFacts) -> Iterator[Notice]:
    if not facts.is_complete:
        yield Notice("error", "This run is not complete", "What follows is what there is so far.")
    if facts.split is None:
        why = facts.missing.get("metrics", "metrics.json has no split")
        yield Notice("error", "Nothing was evaluated", f"How good the classifier is, nobody knows: {why}.")
    elif facts.split == "validation":
        yield Notice(
            "warning",
            "There is no test split",
            "The numbers are those of the validation pictures, by which the best epoch was chosen: they flatter it. "
            "Keep some pictures aside that nothing is decided by, and run discern evaluate on them.",
        )


def _warn_of_scores(facts: RunFacts) -> Iterator[Notice]:
    metrics, chance = facts.reported, find_chance(facts)
    if metrics is None:
        return
    if chance is not None and metrics.accuracy.low <= chance.share:
        yield Notice(
            "error",
            "No better than chance",
            f"The interval of the accuracy reaches down to {percent(metrics.accuracy.low)}; always answering "
            f"{chance.wording} is right for {percent(chance.share)}.",
        )
    if metrics.ece is not None and metrics.ece.value > _BAD_CALIBRATION and metrics.ece.low > _BAD_CALIBRATION / 2:
        yield Notice(
            "warning",
            "Confidences do not mean what they say",
            f"They are off by {100 * metrics.ece.value:.0f} points on average.",
        )
    if metrics.classes_absent:
        absent = _list_names(metrics.classes_absent)
        yield Notice("warning", "Classes without a picture to be judged by", f"Nothing is known about {absent}.")


def _warn_of_data(facts: RunFacts) -> Iterator[Notice]:
    clean = facts.without_leaks.get(facts.split or "")
    if clean is not None and facts.reported is not None:
        left_out = facts.reported.count - clean.count
        yield Notice(
            "error",
            "The same pictures on both sides of the split",
            f"{count_of(left_out, 'evaluated picture')} {'has' if left_out == 1 else 'have'} a copy among those trained "
            f"on. Without them the accuracy is {percent(clean.accuracy.value)} instead of "
            f"{percent(facts.reported.accuracy.value)}.",
        )
    for finding in facts.audit.findings if facts.audit is not None else ():
        if finding.severity == "error" and finding.count and not (clean is not None and "leak" in finding.kind):
            yield Notice("error", f"Data: {finding.title}", f"{finding.explanation} Found {grouped(finding.count)} times.")
    yield from _warn_of_few(facts)


def _warn_of_few(facts: RunFacts) -> Iterator[Notice]:
    counts = facts.split_counts
    if counts is None:
        return
    for split, least, purpose in (("train", _FEW_TRAINED, "to learn from"), (facts.split, _FEW_TESTED, "to be judged by")):
        few = counts.index[counts[split] < least] if split in counts else counts.index[:0]
        if len(few):
            yield Notice(
                "warning",
                f"Few pictures {purpose}",
                f"{_list_names(few)} {'has' if len(few) == 1 else 'have'} fewer than {least} {split} pictures.",
            )


def _list_names(names: "tuple[str, ...] | pd.Index[str]") -> str:
    shown = [quote(str(name)) for name in names[:_NAMED]]
    more = len(names) - len(shown)
    return join_words([*shown, f"{grouped(more)} more classes"] if more > 1 else [quote(str(n)) for n in names[: _NAMED + 1]])


def _mixes_pictures(facts: RunFacts) -> bool:
    return facts.settings is not None and facts.settings.training.mixup + facts.settings.training.cutmix > 0
