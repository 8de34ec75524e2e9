"""A plan that ends in time: what of a recipe fits into a budget, by how long a picture takes."""

import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from discern.config.settings import PhaseSettings, TrainingSettings
from discern.training.batch_statistics import SAMPLE_IMAGES, learns_other_statistics

MARGIN = 0.04
"""Share of the budget that is not planned for, since no two epochs take the same time."""

_LEAST_PART = 0.15
"""Of an epoch; judging the network takes time after a smaller part as well."""

_PLOTS_SECONDS = 5.0
_MAPS = 36
_MOST_EPOCHS_FACTOR = 3


class Speed(NamedTuple):
    """Seconds a picture, reading it included: to answer, and, by phase, to learn from it where a phase reads pictures.

    A phase that is not in `learning` trains on features that are computed once, of `views` of each training picture.
    `solving` is what an exact head takes for each training picture.
    """

    answering: float
    learning: Mapping[str, float]
    solving: float = 0.0
    views: int = 1

    @property
    def looking(self) -> float:
        """What the features of a training picture, and the head's solution for it, take."""
        return self.answering * self.views + self.solving


class Counts(NamedTuple):
    """How many pictures there are for what, and how many classes."""

    train: int
    validation: int
    test: int
    classes: int


class TimePlan(NamedTuple):
    """The settings that fit, the whole in words, and the seconds kept for what comes after training.

    By phase: most epochs, and the epochs for which there is time, the last one perhaps in part.
    """

    training: TrainingSettings
    words: str
    reserve_seconds: float
    most_epochs: dict[str, int]
    lengths: dict[str, float]


def plan_in_time(
    training: TrainingSettings,
    speed: Speed,
    counts: Counts,
    *,
    seconds: float,
    spent_seconds: float,
    extensible: Collection[str] = (),
    in_parts: bool = False,
) -> TimePlan:
    """Fit a plan into `seconds`, of which `spent_seconds` are gone.

    Epochs become fewer, or in the phases named as `extensible` up to three times as many. Where there is no time for
    one, the phase is left out, unless nothing else is left; where there is not even time to look at all pictures once,
    a sample of them is trained on. With `in_parts` the last epoch of all may be planned to end early.
    """
    left = seconds * (1 - MARGIN) - spent_seconds - _estimate_ending(speed, counts)
    sample = _choose_sample(training, speed, counts, left)
    looking = _estimate_features(training, speed, counts, sample)
    epoch_seconds = {
        phase.name: _estimate_epoch(phase, speed, counts._replace(train=sample or counts.train))
        for phase in training.phases
        if phase.name in speed.learning
    }
    remembering = _estimate_remembering(training, speed, counts)
    lengths = _fit_lengths(training.phases, epoch_seconds, left - looking - remembering, extensible, in_parts=in_parts)
    phases = tuple(
        phase.model_copy(update={"epochs": math.ceil(lengths[phase.name])}) if phase.name in lengths else phase
        for phase in training.phases
        if phase.name in lengths or phase.name not in epoch_seconds
    )
    ending = _estimate_ending(speed, counts) + (remembering if lengths else 0.0)
    total = spent_seconds + looking + ending + sum(epoch_seconds[name] * length for name, length in lengths.items())
    parts = [f"{spent_seconds:.0f} s so far"]
    if looking:
        parts.append(f"{looking:.0f} s for features of {sample or counts.train} training pictures and their head")
    parts += [
        f"{round(length, 1):g} epochs of {epoch_seconds[name]:.1f} s in {name}" for name, length in lengths.items()
    ]
    parts.append(f"{ending:.0f} s for evaluation and report")
    words = f"about {total:.0f} of {seconds:.0f} s: {', '.join(parts)}"
    left_out = [phase.name for phase in training.phases if phase.name not in {kept.name for kept in phases}]
    if left_out:
        words += f"; there is no time for {', '.join(left_out)}"
    if total > seconds:
        words += "; it cannot be done in less"
    changes = {"phases": phases, "max_images": sample or training.max_images}
    most_epochs = {phase.name: _most(phase, extensible) for phase in training.phases if phase.name in epoch_seconds}
    return TimePlan(training.model_copy(update=changes), words, ending + MARGIN * seconds, most_epochs, lengths)


def may_end_early(validation: int, processes: int) -> bool:
    """Return whether the last epoch may be planned to end before its last picture.

    Processes go on together to the end, and without validation pictures an epoch that was cut off does not count.
    """
    return validation > 0 and processes == 1


def settle_length(epochs: float, *, in_parts: bool) -> float:
    """Return for how many epochs a phase goes on where there is time for `epochs`, the last one in part or whole."""
    whole = math.floor(epochs)
    return epochs if in_parts and epochs - whole >= _LEAST_PART else whole


def _estimate_epoch(phase: PhaseSettings, speed: Speed, counts: Counts) -> float:
    """Return the seconds of one epoch of a phase, with the pictures that it is judged and that norms are settled by."""
    settles = phase.frozen_batchnorm is False and learns_other_statistics(phase)
    settling = min(counts.train, SAMPLE_IMAGES) if settles else 0
    return speed.learning[phase.name] * counts.train + speed.answering * (counts.validation + settling)


def _estimate_ending(speed: Speed, counts: Counts) -> float:
    """Return the seconds after the last epoch: the test split, plots and page."""
    return _PLOTS_SECONDS + speed.answering * (counts.test + _MAPS)


def _estimate_remembering(training: TrainingSettings, speed: Speed, counts: Counts) -> float:
    """Return the seconds for the features that the bundle remembers; those of a frozen backbone are known already."""
    if not training.feature_bank:
        return 0.0
    return speed.answering * (min(training.feature_bank, counts.train) + counts.validation)


def _uses_features(training: TrainingSettings, speed: Speed) -> bool:
    return any(phase.name not in speed.learning for phase in training.phases)


def _choose_sample(training: TrainingSettings, speed: Speed, counts: Counts, left: float) -> int | None:
    """Return how many training pictures there is time to look at once; None for all."""
    per_picture = speed.looking if _uses_features(training, speed) else min(speed.learning.values())
    possible = int((left - speed.answering * counts.validation) / per_picture)
    return None if possible >= counts.train else min(counts.train, max(2 * counts.classes, possible))


def _estimate_features(training: TrainingSettings, speed: Speed, counts: Counts, sample: int | None) -> float:
    if not _uses_features(training, speed):
        return 0.0
    return speed.looking * (sample or counts.train) + speed.answering * counts.validation


def _most(phase: PhaseSettings, extensible: Collection[str]) -> int:
    return phase.num_epochs * (_MOST_EPOCHS_FACTOR if phase.name in extensible else 1)


def _fit_lengths(
    phases: tuple[PhaseSettings, ...],
    epoch_seconds: Mapping[str, float],
    left: float,
    extensible: Collection[str],
    *,
    in_parts: bool,
) -> dict[str, float]:
    """Return the epochs of each phase that reads pictures and for which there is time for an epoch."""
    reading = [phase for phase in phases if phase.name in epoch_seconds]
    wanted = sum(epoch_seconds[phase.name] * phase.num_epochs for phase in reading)
    lengths: dict[str, float] = {}
    for phase in reading:
        fits = min(phase.num_epochs * left / wanted, float(_most(phase, extensible)))
        length = settle_length(fits, in_parts=in_parts and phase is phases[-1])
        is_all_there_is = phase is phases[-1] and not lengths and len(reading) == len(phases)
        if length >= 1 or is_all_there_is:
            lengths[phase.name] = max(1.0, length)
    return lengths
