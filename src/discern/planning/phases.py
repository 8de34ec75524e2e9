"""What `auto` comes to in a training plan: epochs, rates, augmentation and solver, by the data and the weights."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from discern.config.settings import PhaseSettings

HEAD_ONLY = ("head",)

_SOLVABLE = 500_000
HEAD_EPOCHS = 8
_FEW_IMAGES = 300
_STRONG_FROM_EPOCHS = 16


class PlanFacts(NamedTuple):
    """What a plan is fitted to: training pictures, classes, and whether weights are pretrained and the head linear.

    `is_enlarged` says whether the network sees pictures at their own size or larger.
    """

    images: int
    num_classes: int
    is_pretrained: bool = True
    has_linear_head: bool = True
    is_enlarged: bool = False


USUAL = PlanFacts(images=1000, num_classes=10)
"""What a plan is shown for where there are no data."""


def settle_phases(
    phases: Sequence[PhaseSettings], facts: PlanFacts
) -> tuple[tuple[PhaseSettings, ...], dict[str, str]]:
    """Return the phases without `auto`, and by name of the setting what was chosen and why.

    A phase that would solve for a head on random features is left out, since it has nothing to learn from.
    """
    settled, reasons = [], {}
    for phase in phases:
        if _solves_random_features(phase, facts) and len(phases) > 1:
            reasons[phase.name] = "left out, since the features of a network from scratch say nothing yet"
            continue
        changes, why = _settle(phase, facts)
        settled.append(phase.model_copy(update=changes))
        reasons |= {f"{phase.name}.{name}": reason for name, reason in why.items()}
    return tuple(settled), reasons


def choose_epochs(images: int, *, is_pretrained: bool) -> int:
    """Return for how many epochs all layers learn from so many pictures.

    Small sets need more epochs, since an epoch is fewer steps; from scratch there is more to learn.
    """
    thousands = math.log10(max(images, 1) / 1000)
    if is_pretrained:
        return round(min(12, max(6, 10 - 3 * thousands)))
    return round(min(30, max(6, 14.5 - 10 * thousands)))


def _solves_random_features(phase: PhaseSettings, facts: PlanFacts) -> bool:
    return not facts.is_pretrained and phase.train == HEAD_ONLY and phase.head_solver == "auto"


def _settle(phase: PhaseSettings, facts: PlanFacts) -> tuple[dict[str, Any], dict[str, str]]:
    changes: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    if phase.head_solver == "auto":
        changes["head_solver"], reasons["head_solver"] = _choose_solver(phase, facts)
    solver = changes.get("head_solver", phase.head_solver)
    epochs = phase.epochs
    if solver == "lbfgs" and (epochs == "auto" or "head_solver" in changes):
        epochs = changes["epochs"] = 1
    elif epochs == "auto":
        epochs, reasons["epochs"] = _choose_phase_epochs(phase, facts)
        changes["epochs"] = epochs
    if phase.optimizer == "auto":
        changes["optimizer"], reason = _choose_optimizer(phase, facts)
        if solver != "lbfgs":
            reasons["optimizer"] = reason
    if phase.learning_rate == "auto":
        changes["learning_rate"], reason = _choose_rate(phase, facts, changes.get("optimizer", phase.optimizer))
        if solver != "lbfgs":
            reasons["learning_rate"] = reason
    if phase.augment == "auto":
        changes["augment"], reasons["augment"] = _choose_augment(epochs, facts)
    if phase.layer_decay == "auto":
        changes["layer_decay"], reasons["layer_decay"] = _choose_decay(facts)
    return changes, reasons


def _choose_solver(phase: PhaseSettings, facts: PlanFacts) -> tuple[str, str]:
    if phase.train != HEAD_ONLY:
        return "gradient", "gradient, since more than the head learns"
    if not facts.has_linear_head:
        return "gradient", "gradient, since only a linear head has an exact solution"
    size = facts.images * facts.num_classes
    if size > _SOLVABLE:
        return "gradient", f"gradient, since the exact solution for {facts.images} pictures would take long"
    return "lbfgs", "lbfgs, the exact solution for a linear head on frozen features: what the rest has to beat"


def _choose_phase_epochs(phase: PhaseSettings, facts: PlanFacts) -> tuple[int, str]:
    if phase.train == HEAD_ONLY:
        return HEAD_EPOCHS, f"{HEAD_EPOCHS}, enough for a head alone"
    epochs = choose_epochs(facts.images, is_pretrained=facts.is_pretrained)
    start = "pretrained weights" if facts.is_pretrained else "a network from scratch"
    return epochs, f"{epochs}, for {facts.images} training pictures and {start}"


def _choose_optimizer(phase: PhaseSettings, facts: PlanFacts) -> tuple[str, str]:
    if phase.train == HEAD_ONLY:
        return "adamw", "adamw, for a head alone"
    if not facts.is_pretrained:
        return "muon", "muon, which learns most from scratch in few epochs"
    return "adamw", "adamw, for pretrained weights"


def _choose_rate(phase: PhaseSettings, facts: PlanFacts, optimizer: str) -> tuple[float, str]:
    if phase.train == HEAD_ONLY:
        return 3e-3, "3e-3, for a head alone"
    if not facts.is_pretrained and optimizer == "muon":
        return 2e-3, "2e-3, for a network from scratch and muon"
    if not facts.is_pretrained:
        return 1e-3, "1e-3, for a network from scratch"
    if facts.images < _FEW_IMAGES:
        return 5e-4, f"5e-4, since {facts.images} pictures move pretrained weights too far at more"
    return 1e-3, "1e-3, for pretrained weights"


def _choose_augment(epochs: int, facts: PlanFacts) -> tuple[str, str]:
    if facts.is_pretrained:
        return choose_pretrained_augment(epochs)
    if facts.is_enlarged:
        return "shift", "shift: pictures as small as these lose too much by being turned and cut"
    return "light", "light: a network from scratch learns too little from stronger changes"


def choose_pretrained_augment(epochs: int) -> tuple[str, str]:
    """Return the policy for so many epochs of all layers of a pretrained network, and why."""
    if epochs >= _STRONG_FROM_EPOCHS:
        return "standard", f"standard, since {epochs} epochs would learn pictures by heart under less"
    return "light", f"light: {epochs} epochs are too few to learn from stronger changes"


def _choose_decay(facts: PlanFacts) -> tuple[float, str]:
    if facts.is_pretrained:
        return 0.8, "0.8, since what is near the stem suits all pictures already"
    return 1.0, "1, since all layers start from scratch"
