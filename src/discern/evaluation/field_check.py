"""What holds in the field: accuracy on a random sample of new pictures, and whether promises of few errors are kept."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from discern.counts import count_of, is_are
from discern.evaluation.intervals import SavedInterval, exact_interval
from discern.percent import percent

Verdict = Literal["kept", "broken", "open"]
"""Whether a share of wrong answers is shown to be at most the promised one, shown to be above it, or neither."""

MIN_OF_CLASS = 5
"""A class with fewer labelled pictures has no number of its own."""
_MOST_ANSWERS = 10**6


class PromiseCheck(BaseModel):
    """The promise that at most `max_error` of the answers are wrong, on the labelled pictures.

    `threshold` is the confidence that an answer takes, None where the validation pictures support no such promise.
    `answered` of the pictures were answered, `wrong` of these wrongly; `needed` answers in all, with no further
    mistake, would show that the promise is kept.
    """

    model_config = ConfigDict(frozen=True)

    max_error: float
    threshold: float | None
    answered: int = 0
    wrong: int = 0
    coverage: SavedInterval | None = None
    error: SavedInterval | None = None
    verdict: Verdict = "open"
    needed: int | None = None

    def describe(self) -> str:
        """Return one line for people."""
        promise = f"at most {percent(self.max_error)} wrong answers"
        if self.threshold is None:
            return f"{promise}: not promised, the validation pictures cannot support it"
        if self.error is None:
            return f"{promise}: cannot be said yet; none of the labelled pictures was answered"
        found = (
            f"{self.wrong} of {count_of(self.answered, 'answer')} wrong "
            f"({percent(self.error.low)} to {percent(self.error.high)})"
        )
        if self.verdict != "open":
            return f"{promise}: {self.verdict}, {found}"
        if self.needed is None:
            return f"{promise}: cannot be said yet, {found}"
        needed = f"{self.needed} answers in all, without a further mistake, would show it"
        return f"{promise}: cannot be said yet, {found}; {needed}"


class ClassCheck(BaseModel):
    """How many of the pictures labelled as a class were recognised."""

    model_config = ConfigDict(frozen=True)

    name: str
    count: int
    recall: SavedInterval


class FieldSource(NamedTuple):
    """Where a sample comes from: the run, the new pictures and their number, and the seed of the draw."""

    run: str
    source: str
    seed: int
    pictures: int


class FieldCheck(BaseModel):
    """What a random sample of new pictures says, as fieldcheck.json holds it.

    `pictures` is the number of all new ones, of which `sampled` were drawn with `seed`; of these `unreadable` cannot be
    read, `skipped` could not be labelled by the person, and `labelled` were, `none_of_the_classes` among them, which
    count as wrong. `promised` is the accuracy that the run reports on its `promised_split`. `unfamiliar` is the share
    of the sample that is unlike the training pictures, None where that is not known; of the usual kind it is at most
    `usually_unfamiliar`.
    """

    model_config = ConfigDict(frozen=True)

    run: str
    source: str
    seed: int
    pictures: int
    sampled: int
    unreadable: int
    skipped: int
    labelled: int
    none_of_the_classes: int
    accuracy: SavedInterval | None
    promised: SavedInterval | None
    promised_split: str | None
    unfamiliar: SavedInterval | None
    usually_unfamiliar: float
    promises: tuple[PromiseCheck, ...]
    classes: tuple[ClassCheck, ...]

    @property
    def open(self) -> int:
        """How many sampled pictures have no answer yet."""
        return self.sampled - self.unreadable - self.skipped - self.labelled

    def describe(self) -> Iterator[str]:
        """Yield the result in sentences, the most important first."""
        if self.accuracy is None:
            yield "nothing is labelled yet, so nothing can be said"
        else:
            yield (
                f"accuracy {percent(self.accuracy.value)} (95 % interval {percent(self.accuracy.low)} to "
                f"{percent(self.accuracy.high)}) on {count_of(self.labelled, 'labelled picture')}"
                f"{self._compare()}"
            )
        if self.none_of_the_classes:
            yield f"{count_of(self.none_of_the_classes, 'picture')} of none of the classes, counted as wrong"
        if self.unfamiliar is not None:
            yield (
                f"unlike the training pictures: {percent(self.unfamiliar.value)} "
                f"({percent(self.unfamiliar.low)} to {percent(self.unfamiliar.high)}) of the sample; of pictures of "
                f"the usual kind at most {percent(self.usually_unfamiliar)} are"
            )
        yield from (promise.describe() for promise in self.promises)
        if self.skipped:
            left_out = f"{is_are(self.skipped)} left out, which may flatter"
            yield f"{count_of(self.skipped, 'picture')} could not be labelled and {left_out}"
        if self.unreadable:
            left_out = f"{is_are(self.unreadable)} left out"
            yield f"{count_of(self.unreadable, 'picture')} of the sample cannot be read and {left_out}"
        yield (
            f"the sample was drawn at random from the {count_of(self.pictures, 'picture')} of {self.source}: it speaks "
            "of these, and of later ones only if they come in the same way"
        )

    def _compare(self) -> str:
        if self.accuracy is None or self.promised is None:
            return ""
        value = f"; the run reports {percent(self.promised.value)} on {self.promised_split}"
        if self.accuracy.high < self.promised.low:
            return f"{value}: it is lower here"
        return f"{value}: {'it is higher here' if self.accuracy.low > self.promised.high else 'no difference is shown'}"


def check_promise(
    max_error: float, threshold: float | None, is_answered: NDArray[np.bool_], is_right: NDArray[np.bool_]
) -> PromiseCheck:
    """Check a promise on labelled pictures (N,); a threshold of None stands for one that was not made."""
    if threshold is None:
        return PromiseCheck(max_error=max_error, threshold=None)
    answered, wrong = int(is_answered.sum()), int((is_answered & ~is_right).sum())
    found = {"max_error": max_error, "threshold": threshold, "answered": answered, "wrong": wrong}
    coverage = exact_interval(answered, len(is_answered)) if len(is_answered) else None
    if not answered:
        return PromiseCheck(**found, coverage=coverage)
    error = exact_interval(wrong, answered)
    verdict: Verdict = "kept" if error.high <= max_error else "broken" if error.low > max_error else "open"
    needed = count_needed(wrong, max_error) if verdict == "open" else None
    return PromiseCheck(**found, coverage=coverage, error=error, verdict=verdict, needed=needed)


def count_needed(wrong: int, max_error: float) -> int | None:
    """Return the smallest number of answers, so many of them wrong, that shows an error of at most `max_error`."""
    low, high = wrong, _MOST_ANSWERS
    if exact_interval(wrong, high).high > max_error:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exact_interval(wrong, middle).high <= max_error else (middle, high)
    return high


def check_classes(labels: Sequence[str], is_right: NDArray[np.bool_], class_names: Sequence[str]) -> list[ClassCheck]:
    """Return how many pictures of each class were recognised, for classes with enough, the lowest share first."""
    hits: Mapping[str, NDArray[np.bool_]] = {
        name: is_right[np.asarray([label == name for label in labels], dtype=np.bool_)] for name in class_names
    }
    found = [
        ClassCheck(name=name, count=len(right), recall=exact_interval(int(right.sum()), len(right)))
        for name, right in hits.items()
        if len(right) >= MIN_OF_CLASS
    ]
    return sorted(found, key=lambda one: one.recall.value)
