"""Fits a plan to a time budget: a first estimate, which training corrects after every epoch."""

import math
from collections.abc import Mapping, Sequence

from discern.config.sections.phase import PhaseSettings
from discern.planning.estimate import Counts, Estimate, Part
from discern.planning.phases import choose_pretrained_augment
from discern.planning.plan import BudgetPlan, PhasePlan, Plan
from discern.planning.speed import Speed

MARGIN = 0.04
"""Share of the budget that is left unplanned, since no two epochs take the same time."""

_MIN_PART = 0.15
"""Smallest part of an epoch worth training, since validation takes its time after any part."""


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
    time = Estimate(plan, speed, counts)
    left = seconds * (1 - MARGIN) - spent_seconds - time.ending
    sample = time.choose_sample(left)
    trained = sample or counts.train
    features = time.estimate_features(trained)
    epochs = {phase.name: time.estimate_epoch(phase, trained) for phase in plan.phases if not phase.views}
    lengths = _fit_lengths(plan.phases, epochs, left - features - time.feature_bank, may_end_early=may_end_early)
    ending = time.estimate_ending(lengths)
    parts = [Part(spent_seconds, "so far"), *time.list_parts(lengths, trained)]
    total = sum(part.seconds for part in parts)
    message = f"about {total:.0f} of {seconds:.0f} s: {', '.join(part.describe() for part in parts)}"
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
