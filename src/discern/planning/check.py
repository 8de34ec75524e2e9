"""Checks that phases can be trained: their augmentation before anything is computed, the rest with the network."""

from collections.abc import Sequence

from discern.config.sections.phase import PhaseSettings
from discern.data.reading.augment import check_policy
from discern.engine.optimizers import OPTIMIZERS
from discern.engine.schedules import SCHEDULES
from discern.errors import ConfigError
from discern.models.classifier import HEAD, Classifier
from discern.models.heads import LinearHead
from discern.planning.plan import PhasePlan


def check_policies(phases: Sequence[PhaseSettings]) -> None:
    """Check that every augmentation exists.

    Raises:
        ConfigError: An augmentation is unknown.
    """
    for phase in phases:
        if phase.augment != "auto":
            check_policy(phase.augment)


def check_phases(phases: Sequence[PhasePlan], classifier: Classifier) -> None:
    """Check that the network can be trained in these phases.

    Raises:
        ConfigError: A phase names stages or blocks that the network does not have, trains nothing, has an unknown
            optimizer or schedule, or has head_solver=lbfgs without a linear head that is trained alone.
    """
    unknown = [
        f"phase {phase.name} trains {part!r}"
        for phase in phases
        if phase.train != "all"
        for part in phase.train
        if part not in (*classifier.stage_names, *classifier.block_names)
    ]
    if unknown:
        raise ConfigError(f"{'; '.join(unknown)}; {classifier.describe_parts()}")
    for phase in phases:
        OPTIMIZERS.find(phase.optimizer)
        SCHEDULES.find(phase.schedule)
        if not phase.train:
            raise ConfigError(f"phase {phase.name} trains nothing; name stages of the network in its train, or all")
        if phase.head_solver == "lbfgs" and (phase.train != (HEAD,) or not isinstance(classifier.head, LinearHead)):
            raise ConfigError(
                f"phase {phase.name} has head_solver=lbfgs, which solves for a linear head alone; "
                'it needs train=["head"] and model.head=linear'
            )
        if phase.paired_heads and not (isinstance(classifier.head, LinearHead) and classifier.backbone.reads_more):
            raise ConfigError(
                f"phase {phase.name} has paired_heads, of which one reads more than the last feature map; it needs "
                "model.features=covariances (or stages) and model.head=linear"
            )
