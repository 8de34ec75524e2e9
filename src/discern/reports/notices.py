"""What a reader must know before anything else: leaks, chance, missing splits, few pictures."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from discern.reports.run_facts import RunFacts
from discern.reports.verdict import find_chance, quote
from discern.reports.wording import count_of, grouped, join_words, percent

Severity = Literal["error", "warning", "note"]

_FEW_TRAINED = 10
_FEW_TESTED = 5
_BAD_CALIBRATION = 0.1
_NAMED = 5


class Notice(NamedTuple):
    """Something that a reader must know before anything else."""

    severity: Severity
    title: str
    text: str


def build_notices(facts: RunFacts) -> list[Notice]:
    """Return what is wrong, the worst first."""
    notices = [*_warn_of_run(facts), *_warn_of_scores(facts), *_warn_of_data(facts)]
    order = ["error", "warning", "note"]
    return sorted(notices, key=lambda notice: order.index(notice.severity))


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
    leaks = list(_warn_of_leaks(facts))
    yield from leaks
    for finding in facts.audit.findings if facts.audit is not None else ():
        # What leaks cost says more than that there are some.
        if finding.severity == "error" and finding.count and not (leaks and finding.kind == "leaks"):
            found = f"{finding.explanation} Found {count_of(finding.count, 'time')}."
            yield Notice("error", f"Data: {finding.title}", found)
    yield from _warn_of_few(facts)


def _warn_of_leaks(facts: RunFacts) -> Iterator[Notice]:
    if facts.without_leaks is None or facts.reported is None or facts.split is None:
        return
    clean = facts.without_leaks.get(facts.split)
    title = "The same pictures on both sides of the split"
    if clean is None:
        nothing = f"Every {facts.split} picture is in an earlier split too: its scores say nothing."
        yield Notice("error", title, nothing)
    elif clean.count < facts.reported.count:
        left_out = count_of(facts.reported.count - clean.count, f"{facts.split} picture")
        yield Notice(
            "error",
            title,
            f"{left_out} of {grouped(facts.reported.count)} stand in an earlier split as well. Without them the "
            f"accuracy is {percent(clean.accuracy.value)} instead of {percent(facts.reported.accuracy.value)}.",
        )


def _warn_of_few(facts: RunFacts) -> Iterator[Notice]:
    counts = facts.split_counts
    if counts is None:
        return
    for split, least, purpose in (
        ("train", _FEW_TRAINED, "to learn from"),
        (facts.split, _FEW_TESTED, "to be judged by"),
    ):
        few = [str(name) for name in counts.index[counts[split] < least]] if split in counts else []
        if len(few):
            yield Notice(
                "warning",
                f"Few pictures {purpose}",
                f"{_list_names(few)} {'has' if len(few) == 1 else 'have'} fewer than {least} {split} pictures.",
            )


def _list_names(names: Sequence[str]) -> str:
    """Enumerate up to five names, and say how many more there are."""
    if len(names) <= _NAMED + 1:
        return join_words([quote(name) for name in names])
    return join_words([*map(quote, names[:_NAMED]), f"{grouped(len(names) - _NAMED)} more classes"])
