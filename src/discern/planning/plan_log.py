"""Says in the log what was planned."""

import logging
from pathlib import Path

from discern.planning.plan import OWN_WEIGHTS, Plan

logger = logging.getLogger("discern")


def log_plan(plan: Plan) -> None:
    """Log what will be done and what is unusual about it; the reasons for everything are for the log file."""
    for name, reason in plan.reasons.items():
        # What was compared is logged where it was.
        if not (name == "starting point" and plan.candidates):
            logger.debug("%s: %s", name, reason)
    logger.info("plan: %s", _describe_plan(plan))
    for phase in plan.phases:
        if not phase.is_augmented and f"{phase.name}.augment" in plan.reasons:
            logger.info("phase %s: augmentation %s", phase.name, plan.reasons[f"{phase.name}.augment"])
    only_head = [phase.name for phase in plan.phases if phase.train == ("head",)]
    if plan.weights == "none" and only_head:
        logger.warning(
            "phase %s trains the head alone on a backbone of random weights, since model.weights=none; "
            "it can learn little from such features",
            ", ".join(only_head),
        )


def _describe_plan(plan: Plan) -> str:
    """Return what will be done in one line; the reasons are in plan.json."""
    weights = "its own weights" if plan.weights == OWN_WEIGHTS else f"weights {Path(plan.weights).name}"
    start = "from scratch" if plan.weights == "none" else f"with {weights}"
    phases = ", ".join(f"{phase.epochs} of {phase.name}" for phase in plan.phases) or "none, nothing is trained"
    return (
        f"{plan.architecture.backbone} {start}, {plan.preprocess.image_size} px ({plan.preprocess.fit}), "
        f"batches of {plan.training.batch_size}, epochs: {phases}; reasons are in plan.json"
    )
