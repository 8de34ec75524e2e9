"""The model card: intended use, training data, performance and limits.

Source: Mitchell et al., "Model cards for model reporting", 2019; we keep the parts that recorded facts support.
"""

from collections.abc import Iterator
from typing import NamedTuple

from discern.engine.views import NUM_VIEWS
from discern.errors import cut
from discern.evaluation.predictions import OUT_OF_FOLD
from discern.reports.run_facts import RunFacts
from discern.reports.verdict import find_baseline, quote
from discern.reports.wording import count_of, grouped, join_words, percent, percent_range

_MAX_LISTED = 12
_UNEQUAL = 3.0
_CAUTIONS = {
    "validation": " The model was chosen with these pictures, so the accuracy is too optimistic.",
    OUT_OF_FOLD: " Each was answered by the one member of the ensemble that had not seen it in training.",
}
_PURPOSES = {"train": "training", "validation": "validation", "test": "test"}


class CardEntry(NamedTuple):
    """One heading of the card with its paragraphs."""

    heading: str
    paragraphs: tuple[str, ...]


def build_card(facts: RunFacts) -> list[CardEntry]:
    """Return the entries that have a paragraph."""
    parts = {
        "Model": _describe_model,
        "Intended use": _describe_use,
        "Training data": _describe_data,
        "Performance": _describe_performance,
        "Limits": _describe_limits,
        "Licence of the pretrained weights": _describe_licence,
    }
    entries = [CardEntry(heading, tuple(describe(facts))) for heading, describe in parts.items()]
    return [entry for entry in entries if entry.paragraphs]


def _describe_model(facts: RunFacts) -> Iterator[str]:
    bundle = facts.bundle
    if bundle is None:
        yield f"Not known: {facts.missing.get('bundle', 'there is no bundle')}."
        return
    size, fit = bundle.preprocess.get("image_size", "?"), bundle.preprocess.get("fit", "?")
    ways = {
        "crop": "its central square",
        "pad": "all of it, padded to a square",
        "squash": "all of it, stretched to a square",
    }
    classes = count_of(len(bundle.class_names), "class", "classes")
    yield (
        f"{bundle.architecture.describe()} for {classes}. A picture is read "
        f"at {size} by {size} pixels: {ways.get(str(fit), fit)}. Trained with discern {bundle.discern_version}."
    )
    if bundle.architecture.features != "last":
        head = "Each head" if bundle.architecture.members else "The head"
        others = "mean and deviation of the maps of the upper stages"
        if bundle.architecture.features == "covariances":
            others += ", and the covariances between the channels of one of them"
        yield f"{head} reads not only the last feature map, but also {others}."
    if bundle.tta != "none":
        yield (
            f"An answer is the mean over {NUM_VIEWS[bundle.tta]} views of a picture (test-time augmentation "
            f"“{bundle.tta}”), and so are all scores here."
        )
    if bundle.calibration.count and not bundle.calibration.is_neutral:
        pictures = count_of(bundle.calibration.count, f"{bundle.calibration.split} picture")
        yield f"Confidences are calibrated on {pictures} (temperature {bundle.calibration.temperature:.2f})."


def _describe_use(facts: RunFacts) -> Iterator[str]:
    names = facts.class_names
    if not names:
        return
    listed = ", ".join(cut(name, 40) for name in names[:_MAX_LISTED])
    more = f" and {grouped(len(names) - _MAX_LISTED)} more" if len(names) > _MAX_LISTED else ""
    yield f"Sorts pictures into {count_of(len(names), 'class', 'classes')}: {listed}{more}."
    yield "It is meant for pictures like those it was trained on: the same subjects, cameras, framing and quality."


def _describe_data(facts: RunFacts) -> Iterator[str]:
    counts = facts.split_counts
    if counts is None:
        yield f"Not known: {facts.missing.get('split_counts', 'there is no split.csv')}."
    else:
        source = facts.environment.data.source
        parts = [f"{grouped(int(counts[split].sum()))} for {_PURPOSES[str(split)]}" for split in counts]
        place = f" from {source}" if source else ""
        yield f"{count_of(int(counts.to_numpy().sum()), 'labelled picture')}{place}: {join_words(parts)}."
    if facts.bad_files:
        verb = "was" if facts.bad_files == 1 else "were"
        yield f"{count_of(facts.bad_files, 'file')} could not be used and {verb} left out."
    for file in facts.environment.data.fixes:
        rows = join_words([f"{action} {grouped(count)}" for action, count in file.rows.items()])
        yield f"Fixes were applied from {file.path}: {rows or 'none'}."
    if facts.audit is not None:
        found = [finding for finding in facts.audit.findings if finding.count]
        yield (
            f"The data were audited: {count_of(len(found), 'kind of finding', 'kinds of findings')}."
            if found
            else ("The data were audited: nothing was found.")
        )


def _describe_performance(facts: RunFacts) -> Iterator[str]:
    metrics = facts.reported
    if metrics is None:
        yield "It was not evaluated."
        return
    accuracy, baseline = metrics.accuracy, find_baseline(facts)
    against = (
        ""
        if baseline is None
        else f" Always answering {baseline.wording} is correct for {percent(baseline.share)} of them."
    )
    caution = _CAUTIONS.get(facts.split or "", "")
    yield (
        f"Accuracy {percent(accuracy.value)} (95 % interval {percent_range(accuracy.low, accuracy.high)}) on "
        f"{count_of(metrics.count, f'{facts.split} picture')}.{against}{caution}"
    )


def _describe_limits(facts: RunFacts) -> Iterator[str]:
    yield from _limit_unknown(facts)
    yield from _limit_weak(facts)
    yield from _limit_unequal(facts)
    yield (
        "The scores hold for pictures collected like the ones evaluated. Other cameras, places, seasons or ways of "
        "collecting pictures can lower them, and nothing here shows by how much. Evaluate it on labelled pictures "
        "from where it will be used: discern evaluate RUN PICTURES."
    )


def _limit_unknown(facts: RunFacts) -> Iterator[str]:
    yield (
        "It always answers with one of its classes: a picture of something else also gets one of them, perhaps with a "
        "high confidence."
    )
    if any(facts.thresholds.values()):
        choosing = "validation" if facts.bundle is None else facts.bundle.calibration.split
        yield (
            "With discern predict --max-error it answers “unknown” where it is not confident enough. The thresholds "
            f"come from the {choosing} pictures and hold for pictures like these, with 95 % confidence."
        )


def _limit_weak(facts: RunFacts) -> Iterator[str]:
    known = [(scores.recall, scores) for scores in facts.per_class or () if scores.recall is not None]
    weakest = sorted(known, key=lambda pair: pair[0])[:3]
    if weakest and weakest[0][0] < 1:
        named = [f"{quote(scores.name)} ({percent(recall, 0)} of {scores.pictures})" for recall, scores in weakest]
        yield f"Lowest recall: {join_words(named)}."


def _limit_unequal(facts: RunFacts) -> Iterator[str]:
    counts = facts.split_counts
    if counts is None or "train" not in counts or counts["train"].min() == 0:
        return
    trained = counts["train"]
    if trained.max() / trained.min() >= _UNEQUAL:
        yield (
            f"The classes differ in size: {quote(str(trained.idxmax()))} has "
            f"{count_of(int(trained.max()), 'training picture')}, {quote(str(trained.idxmin()))} has "
            f"{grouped(int(trained.min()))}. Rare classes are often recognised less well."
        )


def _describe_licence(facts: RunFacts) -> Iterator[str]:
    weights = facts.environment.weights
    if weights is None:
        if facts.plan is not None and facts.plan.weights == "none":
            yield "None were used: the network started from random weights."
        else:
            yield "Not recorded."
        return
    yield f"{weights.note or 'Not recorded'} ({weights.source})."
    yield "The licence of the training pictures is not recorded here; it may also apply to this classifier."
