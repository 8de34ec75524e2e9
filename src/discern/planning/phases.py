"""Plans the phases of training: epochs, rates, augmentation and solver, by the data and the weights."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from discern.config.sections.phase import AugmentPolicy, HeadSolver, Keep, PhaseBase, PhaseSettings
from discern.counts import count_of, is_are
from discern.planning.plan import CUSTOM_AUGMENT, NO_AUGMENT, PhasePlan

HEAD_ONLY = ("head",)

_HEAD_EPOCHS = 8
_MAX_EPOCHS_FACTOR = 3
"""Largest factor by which a budget may lengthen a phase whose number of epochs is `auto`."""
_MIN_NORM_BATCH = 64
"""Pictures of a batch whose statistics BatchNorm can learn from."""
_FEW_IMAGES = 300
_FIXED_STEPS = ("adam", "adamw")
"""Optimizers that move each weight by about its rate, however large it or its gradient is."""
_OF_STEPS = ("optimizer", "learning_rate", "keep")
"""Settings that say nothing about an exact solution, which takes no steps and has one epoch."""
_FALLS_TO_ZERO = ("cosine", "one-cycle")
"""Schedules whose rate ends at zero, so that the weights come to rest in the last epoch."""
_INITIAL_SHARE = 0.3
"""Between a quarter and a half, which were measured; docs/research/auto.md."""
_STRONG_FROM_EPOCHS = 16
_SOLVABLE = 500_000
_SOLVER_PASSES = 300
"""Passes over the training features to solve for a head, for all strengths together."""
_SOLVER_FLOPS, _BASIS_FLOPS = 2e10, 4e10
"""Operations a second of one core in these passes, and in finding the space that the pictures span."""
_MAX_SOLVING_SHARE = 0.2
"""Largest share of a budget for solving for a head."""
_HEAD_VIEWS = 5
"""Augmented views for a head alone; docs/research/views.md has the measurement."""
_MIN_VIEWS = 3
_EPOCHS_PER_VIEW = 3
"""Epochs that share a view where layers of the backbone are trained."""


class PhaseFacts(NamedTuple):
    """What the phases are planned for.

    `images` is the number of training pictures, `features` the length F of the features. `is_own_network` is true for a
    network of the user's, which counts as pretrained and may not be. `loads_head` is true if the head starts from
    weights, too, `reads_more` if it reads more than the last feature map. `is_enlarged` is true if the network sees
    pictures at their own size or larger, `mixes` if pictures are mixed. `features_cached` and `views` are settings of
    the cache; `budget_seconds` is the time limit of the whole run, if there is one.
    """

    images: int
    num_classes: int
    is_pretrained: bool = True
    is_own_network: bool = False
    loads_head: bool = False
    has_linear_head: bool = True
    reads_more: bool = False
    is_enlarged: bool = False
    batch_size: int = 32
    features: int = 2048
    mixes: bool = False
    features_cached: bool = True
    views: int | Literal["auto"] = "auto"
    budget_seconds: float | None = None
    custom_augment: bool = False


TYPICAL_FACTS = PhaseFacts(images=1000, num_classes=10)
"""Facts that a plan is made for where there are no data."""


def plan_phases(phases: Sequence[PhaseSettings], facts: PhaseFacts) -> tuple[tuple[PhasePlan, ...], dict[str, str]]:
    """Return the planned phases, and the reason for each chosen value by the name of its setting.

    A phase that would solve for a head on the features of random weights is left out, unless it is the only one.
    """
    planned: list[PhasePlan] = []
    reasons: dict[str, str] = {}
    for phase in phases:
        if _solves_random_features(phase, facts) and len(phases) > 1:
            reasons[phase.name] = (
                "left out, since the features of a network from scratch say nothing about the pictures yet"
            )
            continue
        follows_head = any(earlier.train == HEAD_ONLY for earlier in planned)
        plan, why = _plan_phase(phase, facts, follows_head=follows_head)
        planned.append(plan)
        reasons |= {f"{phase.name}.{name}": reason for name, reason in why.items()}
    if any(phase.frozen_batchnorm == "auto" for phase in phases):
        _, reasons["frozen_batchnorm"] = _choose_batchnorm(facts)
    return tuple(planned), reasons


def choose_epochs(images: int, *, is_pretrained: bool) -> int:
    """Return the number of epochs for training all layers on this many pictures.

    Small sets need more epochs, since an epoch is fewer steps; from scratch there is more to learn.
    """
    thousands = math.log10(max(images, 1) / 1000)
    if is_pretrained:
        return round(min(12, max(6, 10 - 3 * thousands)))
    return round(min(30, max(6, 14.5 - 10 * thousands)))


def choose_pretrained_augment(epochs: int) -> tuple[str, str]:
    """Return the augmentation for training all layers of a pretrained network for `epochs`, and the reason."""
    if epochs >= _STRONG_FROM_EPOCHS:
        return (
            "standard",
            f"standard, since with less the network would memorise the pictures in {count_of(epochs, 'epoch')}",
        )
    return "light", f"light, since {count_of(epochs, 'epoch')} {is_are(epochs)} too few for stronger augmentation"


def estimate_solving_seconds(images: int, num_classes: int, features: int) -> float:
    """Return an estimate of the seconds that the exact solution for a linear head takes.

    Where there are more features than pictures, it is sought in the space that the pictures span.
    """
    basis = 4 * features * images**2 / _BASIS_FLOPS if features > images else 0.0
    return basis + images * _SOLVER_PASSES * 4 * min(features, images) * num_classes / _SOLVER_FLOPS


def _solves_random_features(phase: PhaseSettings, facts: PhaseFacts) -> bool:
    return not facts.is_pretrained and phase.train == HEAD_ONLY and phase.head_solver == "auto"


def _plan_phase(phase: PhaseSettings, facts: PhaseFacts, *, follows_head: bool) -> tuple[PhasePlan, dict[str, str]]:
    reasons: dict[str, str | None] = {}
    if phase.head_solver == "auto":
        solver, reasons["head_solver"] = _choose_solver(phase, facts)
    else:
        solver = phase.head_solver
    if solver == "lbfgs" and (phase.head_solver == "auto" or phase.epochs == "auto"):
        epochs = 1
    elif phase.epochs == "auto":
        epochs, reasons["epochs"] = _choose_phase_epochs(phase, facts)
    else:
        epochs = phase.epochs
    optimizer = phase.optimizer
    if optimizer == "auto":
        optimizer, reasons["optimizer"] = _choose_optimizer(phase, facts)
    if phase.learning_rate == "auto":
        rate, reasons["learning_rate"] = _choose_rate(phase, facts, optimizer)
    else:
        rate = phase.learning_rate
    augment, reasons["augment"] = _choose_augment(phase, epochs, facts)
    views, reasons["views"] = _choose_views(phase, solver, epochs, augment, facts)
    if views == 1 and augment not in NO_AUGMENT:
        augment, reasons["augment"] = "none", _explain_no_augment(facts)
    if phase.layer_decay == "auto":
        decay, reasons["layer_decay"] = _choose_decay(facts)
    else:
        decay = phase.layer_decay
    paired, reasons["paired_heads"] = _choose_pairing(phase, facts)
    share, reasons["initial_share"] = _choose_initial_share(phase, facts, follows_head=follows_head)
    keep, reasons["keep"] = _choose_keep(phase)
    proportional, reasons["proportional_rates"] = _choose_proportional(phase, facts, optimizer)
    if solver == "lbfgs":
        reasons = {name: reason for name, reason in reasons.items() if name not in _OF_STEPS}
    may_grow = phase.epochs == "auto" and solver != "lbfgs"
    plan = PhasePlan(
        **{name: getattr(phase, name) for name in PhaseBase.model_fields},
        epochs=epochs,
        length=epochs,
        max_epochs=epochs * (_MAX_EPOCHS_FACTOR if may_grow else 1),
        optimizer=optimizer,
        learning_rate=rate,
        layer_decay=decay,
        proportional_rates=proportional,
        paired_heads=paired,
        initial_share=share,
        keep=keep,
        frozen_batchnorm=_choose_batchnorm(facts)[0] if phase.frozen_batchnorm == "auto" else phase.frozen_batchnorm,
        augment=augment,
        head_solver=solver,
        views=views,
        picture_cache="off",
    )
    return plan, {name: reason for name, reason in reasons.items() if reason}


def _choose_solver(phase: PhaseSettings, facts: PhaseFacts) -> tuple[HeadSolver, str]:
    if phase.train != HEAD_ONLY:
        return "gradient", "gradient, since more than the head is trained"
    if facts.loads_head:
        return "gradient", "gradient, since the exact solution would replace the head of the weights"
    if not facts.has_linear_head:
        return "gradient", "gradient, since only a linear head has an exact solution"
    if facts.images * facts.num_classes > _SOLVABLE:
        return "gradient", f"gradient, since the exact solution for {facts.images} pictures would take long"
    solving = estimate_solving_seconds(facts.images, facts.num_classes, facts.features)
    if facts.budget_seconds is not None and solving > _MAX_SOLVING_SHARE * facts.budget_seconds:
        return "gradient", (
            f"gradient, since the exact solution would take about {solving:.0f} of {facts.budget_seconds:.0f} s"
        )
    return "lbfgs", "lbfgs, the exact solution for a linear head on frozen features: the baseline for later phases"


def _choose_phase_epochs(phase: PhaseSettings, facts: PhaseFacts) -> tuple[int, str]:
    if phase.train == HEAD_ONLY:
        return _HEAD_EPOCHS, f"{_HEAD_EPOCHS}, enough for a head alone"
    epochs = choose_epochs(facts.images, is_pretrained=facts.is_pretrained)
    start = "pretrained weights" if facts.is_pretrained else "a network from scratch"
    return epochs, f"{epochs}, for {count_of(facts.images, 'training picture')} and {start}"


def _choose_optimizer(phase: PhaseSettings, facts: PhaseFacts) -> tuple[str, str]:
    if phase.train == HEAD_ONLY:
        return "adamw", "adamw, for a head alone"
    if not facts.is_pretrained:
        return "muon", "muon, which learns the most from scratch in few epochs"
    return "adamw", "adamw, for pretrained weights"


def _choose_rate(phase: PhaseSettings, facts: PhaseFacts, optimizer: str) -> tuple[float, str]:
    if phase.train == HEAD_ONLY:
        return 3e-3, "3e-3, for a head alone"
    if not facts.is_pretrained and optimizer == "muon":
        return 2e-3, "2e-3, for a network from scratch and muon"
    if not facts.is_pretrained:
        return 1e-3, "1e-3, for a network from scratch"
    if facts.images < _FEW_IMAGES:
        return 5e-4, f"5e-4, since with {facts.images} pictures a higher rate changes pretrained weights too much"
    return 1e-3, "1e-3, for pretrained weights"


def _choose_augment(phase: PhaseSettings, epochs: int, facts: PhaseFacts) -> tuple[AugmentPolicy, str | None]:
    if facts.custom_augment:
        return CUSTOM_AUGMENT, None
    if phase.augment != "auto":
        return phase.augment, None
    if facts.is_pretrained:
        return choose_pretrained_augment(epochs)
    if facts.is_enlarged:
        return "shift", "shift, since pictures as small as these lose too much by rotation and cropping"
    return "light", "light, since a network from scratch learns too little under stronger augmentation"


def _choose_decay(facts: PhaseFacts) -> tuple[float, str]:
    if facts.is_pretrained:
        return 0.8, "0.8, since pretrained layers near the stem suit all pictures already"
    return 1.0, "1, since all layers start from scratch"


def _choose_proportional(phase: PhaseSettings, facts: PhaseFacts, optimizer: str) -> tuple[bool, str | None]:
    """Return whether rates are in proportion to small weights, and why.

    A rate that is given is meant as it is, and in a network from scratch small weights are to grow.
    """
    if phase.proportional_rates != "auto":
        return phase.proportional_rates, None
    is_open = phase.learning_rate == "auto" and phase.train != HEAD_ONLY and optimizer in _FIXED_STEPS
    if not (is_open and facts.is_pretrained and not facts.is_own_network):
        return False, None
    return True, "true, so that a step changes no network by a larger share than others, however small its weights are"


def _choose_pairing(phase: PhaseSettings, facts: PhaseFacts) -> tuple[bool, str | None]:
    if phase.paired_heads != "auto":
        return phase.paired_heads, None
    if not (facts.reads_more and facts.has_linear_head) or phase.train == HEAD_ONLY:
        return False, None
    return True, "true, since a head on many features alone would leave the layers below it little to learn"


def _choose_initial_share(phase: PhaseSettings, facts: PhaseFacts, *, follows_head: bool) -> tuple[float, str | None]:
    """Return the share of the initial weights in those that are kept, and why.

    Untrained weights are worth nothing, and with an untrained head the mean would be half a head.
    """
    if phase.initial_share != "auto":
        return phase.initial_share, None
    is_worth_keeping = facts.is_pretrained and not facts.is_own_network and follows_head
    if phase.train == HEAD_ONLY or not is_worth_keeping:
        return 0.0, None
    return _INITIAL_SHARE, (
        f"{_INITIAL_SHARE:g}, since the mean of pretrained weights and those learnt from them is better than either"
    )


def _choose_keep(phase: PhaseSettings) -> tuple[Keep, str | None]:
    """Return which epoch of the phase is kept, and why."""
    if phase.keep != "auto":
        return phase.keep, None
    if phase.schedule not in _FALLS_TO_ZERO or phase.patience:
        return "best", None
    return "last", "last, where the learning rate arrives at zero: picking among epochs by their scores picks luck, too"


def _choose_batchnorm(facts: PhaseFacts) -> tuple[bool, str]:
    """Return whether the statistics of BatchNorm are frozen, and why.

    A network of the user's may be untrained, so its statistics are left as they are only in small batches.
    """
    if not facts.is_pretrained:
        return False, "learns its statistics, since the network starts from scratch"
    if facts.is_own_network and facts.batch_size >= _MIN_NORM_BATCH:
        return False, f"learns its statistics from batches of {facts.batch_size} pictures"
    if facts.is_own_network:
        return True, f"frozen, since a batch has {facts.batch_size} pictures"
    return True, "frozen, since the network is pretrained: with statistics of batches it forgets what it knew"


def _choose_views(
    phase: PhaseSettings, solver: HeadSolver, epochs: int, augment: AugmentPolicy, facts: PhaseFacts
) -> tuple[int, str | None]:
    """Return how many views of each picture features are computed of, 0 if pictures are read in every epoch; and why.

    Features need a frozen stem and more than one epoch, and cannot be mixed. A single view is not augmented. An exact
    solution uses all views at once, and can choose its regularisation by cross-validation only if there is one.
    """
    if phase.train == "all" or "stem" in phase.train:
        return 0, None
    if solver != "lbfgs" and (not facts.features_cached or epochs == 1 or facts.mixes or phase.image_scale < 1):
        return 0, None
    if augment in NO_AUGMENT:
        return 1, None
    if facts.views != "auto":
        return facts.views if solver == "lbfgs" else min(facts.views, epochs), None
    if solver == "lbfgs":
        return 1, None
    if phase.train == HEAD_ONLY:
        views = min(_HEAD_VIEWS, epochs)
        return views, f"{views}, with which a head is as accurate as with a new view in every epoch"
    views = min(max(_MIN_VIEWS, epochs // _EPOCHS_PER_VIEW), epochs)
    return views, f"{views} for {count_of(epochs, 'epoch')}, since layers of the backbone are trained"


def _explain_no_augment(facts: PhaseFacts) -> str:
    if facts.views == 1:
        return "none, since cache.views=1 asks for one view, which is not augmented"
    return "none, since an exact solution takes the pictures as they are, unless cache.views asks for several views"
