"""Fits a plan to a time budget: a first estimate, which training corrects after every epoch."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from discern.config.settings import PhaseSettings
from discern.engine.batch_statistics import SAMPLE_IMAGES
from discern.planning.phases import choose_pretrained_augment, estimate_solving_seconds
from discern.planning.plan import BudgetPlan, PhasePlan, Plan
from discern.planning.speed import Speed

MARGIN = 0.04
"""Share of the budget that is left unplanned, since no two epochs take the same time."""

_MIN_PART = 0.15
"""Smallest part of an epoch worth training, since validation takes its time after any part."""
_PLOTS_SECONDS = 5.0
_EXPLAINED = 36


class Counts(NamedTuple):
    """Number of pictures in each split, number of classes, and the length F of the features."""

    train: int
    validation: int
    test: int
    classes: int
    features: int = 0


def fit_to_budget(
    plan: Plan,
    asked: Sequence[PhaseSettings],
    speed: Speed,
    counts: Counts,
    *,
    seconds: float,
    spent_seconds: float,
    may_end_early: bool,
) -> Plan:
    """Return the plan fitted to `seconds`, of which `spent_seconds` have passed.

    Phases get fewer epochs, or more if their number was `auto` in the settings (`asked`). A phase without time for one
    epoch is left out, unless it is the only one. If there is no time to read all pictures once, a sample of them is
    trained on. With `may_end_early` the last epoch of the plan may end before its last picture.
    """
    time = _Estimate(plan, speed, counts)
    left = seconds * (1 - MARGIN) - spent_seconds - time.ending
    sample = time.choose_sample(left)
    trained = sample or counts.train
    features = time.estimate_features(trained)
    epochs = {phase.name: time.estimate_epoch(phase, trained) for phase in plan.phases if not phase.views}
    lengths = _fit_lengths(plan.phases, epochs, left - features - time.feature_bank, may_end_early=may_end_early)
    ending = time.ending + (time.feature_bank if lengths else 0.0)
    total = spent_seconds + features + ending + sum(epochs[name] * length for name, length in lengths.items())
    parts = [f"{spent_seconds:.0f} s so far"]
    if features:
        parts.append(f"{features:.0f} s for features of {trained} training pictures and their head")
    parts += [f"{round(length, 1):g} epochs of {epochs[name]:.1f} s in {name}" for name, length in lengths.items()]
    parts.append(f"{ending:.0f} s for evaluation and report")
    message = f"about {total:.0f} of {seconds:.0f} s: {', '.join(parts)}"
    left_out = [name for name in epochs if name not in lengths]
    if left_out:
        message += f"; there is no time for {', '.join(left_out)}"
    if total > seconds:
        message += "; it cannot be done in less"
    kept = [phase for phase in plan.phases if phase.name in lengths or phase.name not in epochs]
    phases, reasons = _set_lengths(kept, lengths, asked, is_pretrained=plan.weights != "none")
    return plan.model_copy(
        update={
            "phases": phases,
            "training": plan.training.model_copy(update={"max_images": sample or plan.training.max_images}),
            "budget": BudgetPlan(seconds=seconds, reserve_seconds=ending + MARGIN * seconds),
            "reasons": plan.reasons | reasons | {"run.budget": message},
        }
    )


def round_length(epochs: float, *, may_end_early: bool) -> float:
    """Return the epochs to train if there is time for `epochs`: whole ones, plus part of one if `may_end_early`."""
    whole = math.floor(epochs)
    return epochs if may_end_early and epochs - whole >= _MIN_PART else whole


class _Estimate:
    """Seconds that the parts of a run take."""

    def __init__(self, plan: Plan, speed: Speed, counts: Counts) -> None:
        self._plan = plan
        self._speed = speed
        self._counts = counts
        self._views = max((phase.views for phase in plan.phases), default=0)
        bank = plan.training.feature_bank
        self.ending = _PLOTS_SECONDS + speed.prediction_seconds * (counts.test + _EXPLAINED)
        """Seconds after the last epoch: the test split, plots and report."""
        self.feature_bank = speed.prediction_seconds * (min(bank, counts.train) + counts.validation) if bank else 0.0
        """Seconds for the features that the bundle keeps; those of a frozen backbone are computed already."""

    @property
    def _feature_seconds(self) -> float:
        """Seconds for the features of one training picture, and for its share in solving for the head."""
        solving = 0.0
        if any(phase.head_solver == "lbfgs" for phase in self._plan.phases):
            solving = estimate_solving_seconds(1, self._counts.classes, self._counts.features)
        return self._speed.prediction_seconds * self._views + solving

    def choose_sample(self, left: float) -> int | None:
        """Return how many training pictures there is time to use once; None for all."""
        per_picture = self._feature_seconds if self._views else min(self._speed.training_seconds.values())
        possible = int((left - self._speed.prediction_seconds * self._counts.validation) / per_picture)
        if possible >= self._counts.train:
            return None
        return min(self._counts.train, max(2 * self._counts.classes, possible))

    def estimate_features(self, images: int) -> float:
        """Return the seconds for the features of training and validation pictures; 0 if none are needed."""
        if not self._views:
            return 0.0
        return self._feature_seconds * images + self._speed.prediction_seconds * self._counts.validation

    def estimate_epoch(self, phase: PhasePlan, images: int) -> float:
        """Return the seconds of an epoch, with validation and the estimation of BatchNorm's statistics."""
        estimates = not phase.frozen_batchnorm and phase.sees_other_pictures
        sample = min(images, SAMPLE_IMAGES) if estimates else 0
        return self._speed.training_seconds[phase.name] * images + self._speed.prediction_seconds * (
            self._counts.validation + sample
        )


def _fit_lengths(
    phases: Sequence[PhasePlan], epoch_seconds: Mapping[str, float], left: float, *, may_end_early: bool
) -> dict[str, float]:
    """Return the epochs of each phase that reads pictures and has time for at least one epoch."""
    reading = [phase for phase in phases if phase.name in epoch_seconds]
    wanted = sum(epoch_seconds[phase.name] * phase.epochs for phase in reading)
    lengths: dict[str, float] = {}
    for phase in reading:
        fits = min(phase.epochs * left / wanted, float(phase.max_epochs))
        length = round_length(fits, may_end_early=may_end_early and phase is phases[-1])
        is_only_phase = phase is phases[-1] and not lengths and len(reading) == len(phases)
        if length >= 1 or is_only_phase:
            lengths[phase.name] = max(1.0, length)
    return lengths


def _set_lengths(
    phases: Sequence[PhasePlan], lengths: Mapping[str, float], asked: Sequence[PhaseSettings], *, is_pretrained: bool
) -> tuple[tuple[PhasePlan, ...], dict[str, str]]:
    """Return the phases with their new lengths, and with what depends on the number of epochs chosen again."""
    asked_by_name = {phase.name: phase for phase in asked}
    fitted, reasons = [], {}
    for phase in phases:
        changes: dict[str, object] = {}
        if phase.name in lengths:
            changes = {"length": lengths[phase.name], "epochs": math.ceil(lengths[phase.name])}
        epochs = math.ceil(lengths.get(phase.name, phase.epochs))
        if asked_by_name[phase.name].epochs == "auto" and phase.head_solver != "lbfgs":
            reasons[f"{phase.name}.epochs"] = f"{epochs}, as many as the budget allows"
        if asked_by_name[phase.name].augment == "auto" and phase.augment in ("light", "standard") and is_pretrained:
            changes["augment"], reasons[f"{phase.name}.augment"] = choose_pretrained_augment(epochs)
        fitted.append(phase.model_copy(update=changes))
    return tuple(fitted), reasons
