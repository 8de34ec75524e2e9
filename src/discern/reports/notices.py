"""Warnings at the top of a report: leaks, no better than the baseline, missing splits, few pictures."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from discern.reports.run_facts import RunFacts
from discern.reports.verdict import find_baseline, quote
from discern.reports.wording import count_of, grouped, join_words, percent

Severity = Literal["error", "warning", "note"]

_MIN_TRAINED = 10
_MIN_EVALUATED = 5
_BAD_CALIBRATION = 0.1
_NAMED = 5


class Notice(NamedTuple):
    """A warning for the reader of a report."""

    severity: Severity
    title: str
    text: str


def build_notices(facts: RunFacts) -> list[Notice]:
    """Return the warnings, the most serious first."""
    notices = [*_warn_of_run(facts), *_warn_of_scores(facts), *_warn_of_data(facts)]
    order = ["error", "warning", "note"]
    return sorted(notices, key=lambda notice: order.index(notice.severity))


def _warn_of_run(facts: RunFacts) -> Iterator[Notice]:
    if not facts.is_complete:
        yield Notice("error", "This run is not complete", "The report shows what there is so far.")
    if facts.split is None:
        why = facts.missing.get("metrics", "metrics.json has no split")
        yield Notice("error", "Nothing was evaluated", f"It is not known how good the classifier is: {why}.")
    elif facts.split == "validation":
        yield Notice(
            "warning",
            "There is no test split",
            "The scores are those of the validation pictures, with which the model was chosen, so they are too "
            "optimistic. Set pictures aside that no choice depends on, and run discern evaluate on them.",
        )


def _warn_of_scores(facts: RunFacts) -> Iterator[Notice]:
    metrics, baseline = facts.reported, find_baseline(facts)
    if metrics is None:
        return
    if baseline is not None and metrics.accuracy.low <= baseline.share:
        yield Notice(
            "error",
            "No better than the baseline",
            f"The 95 % interval of the accuracy begins at {percent(metrics.accuracy.low)}; always answering "
            f"{baseline.wording} is correct for {percent(baseline.share)} of the pictures.",
        )
    if metrics.ece is not None and metrics.ece.value > _BAD_CALIBRATION and metrics.ece.low > _BAD_CALIBRATION / 2:
        yield Notice(
            "warning",
            "Confidences cannot be taken at face value",
            f"Confidence and accuracy differ by {100 * metrics.ece.value:.0f} percentage points on average.",
        )
    if metrics.classes_absent:
        absent = _list_names(metrics.classes_absent)
        yield Notice("warning", "Classes without a picture in the evaluation", f"Nothing is known about {absent}.")


def _warn_of_data(facts: RunFacts) -> Iterator[Notice]:
    leaks = list(_warn_of_leaks(facts))
    yield from leaks
    for finding in facts.audit.findings if facts.audit is not None else ():
        # The notice of leaks already says how much they change the accuracy.
        if finding.severity == "error" and finding.count and not (leaks and finding.kind == "leaks"):
            found = f"{finding.explanation} Found {count_of(finding.count, 'time')}."
            yield Notice("error", f"Data: {finding.title}", found)
    yield from _warn_of_few(facts)


def _warn_of_leaks(facts: RunFacts) -> Iterator[Notice]:
    if facts.without_leaks is None or facts.reported is None or facts.split is None:
        return
    clean = facts.without_leaks.get(facts.split)
    title = "The same pictures in more than one split"
    if clean is None:
        text = f"Every {facts.split} picture is also in an earlier split: the scores say nothing about new pictures."
        yield Notice("error", title, text)
    elif clean.count < facts.reported.count:
        left_out = count_of(facts.reported.count - clean.count, f"{facts.split} picture")
        yield Notice(
            "error",
            title,
            f"{left_out} of {grouped(facts.reported.count)} are also in an earlier split. Without them the "
            f"accuracy is {percent(clean.accuracy.value)} instead of {percent(facts.reported.accuracy.value)}.",
        )


def _warn_of_few(facts: RunFacts) -> Iterator[Notice]:
    counts = facts.split_counts
    if counts is None:
        return
    for split, min_count, purpose in (
        ("train", _MIN_TRAINED, "for training"),
        (facts.split, _MIN_EVALUATED, "for evaluation"),
    ):
        few = [str(name) for name in counts.index[counts[split] < min_count]] if split in counts else []
        if len(few):
            yield Notice(
                "warning",
                f"Few pictures {purpose}",
                f"{_list_names(few)} {'has' if len(few) == 1 else 'have'} fewer than {min_count} {split} pictures.",
            )


def _list_names(names: Sequence[str]) -> str:
    """List up to five names, and the number of further ones."""
    if len(names) <= _NAMED + 1:
        return join_words([quote(name) for name in names])
    return join_words([*map(quote, names[:_NAMED]), f"{grouped(len(names) - _NAMED)} more classes"])
