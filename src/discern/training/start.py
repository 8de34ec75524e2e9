"""Builds the classifier of a plan and loads its starting weights."""

import logging
from collections.abc import Sequence

from discern.environment import WeightsOrigin
from discern.errors import ConfigError
from discern.models.backbone import Backbone
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.models.weights.pretrained import load_pretrained, read_head
from discern.planning.loaded_head import order_outputs
from discern.planning.plan import OWN_WEIGHTS, Plan
from discern.runtime import Runtime

logger = logging.getLogger("discern")


def build_planned(plan: Plan, num_classes: int, runtime: Runtime, network: Network | None = None) -> Classifier:
    """Build the classifier of a plan on the device, without pretrained weights.

    Raises:
        ConfigError: The network cannot be built, or the device cannot synchronise BatchNorm.
    """
    classifier = build_classifier(plan.architecture, num_classes, network, image_size=plan.preprocess.image_size)
    if plan.training.sync_batchnorm:
        _synchronize_batchnorm(classifier.backbone, runtime)
    runtime.place(classifier)
    millions = classifier.count_parameters().all / 1e6
    architecture = plan.architecture
    logger.debug("%s with a %s head, %.1f million parameters", architecture.backbone, architecture.head, millions)
    return classifier


def load_start(plan: Plan, classifier: Classifier, class_names: Sequence[str]) -> WeightsOrigin | None:
    """Load the weights of a plan into the backbone, and into the head if it is loaded too; return their origin.

    Args:
        plan: What is loaded.
        classifier: Changed in place.
        class_names: The classes of its logits, to which the outputs of a loaded head are joined by name.

    Returns:
        None if nothing was loaded.

    Raises:
        WeightsError: The weights cannot be found, downloaded or read, or do not fit.
    """
    if plan.weights in ("none", OWN_WEIGHTS):
        start = "with its own weights" if plan.weights == OWN_WEIGHTS else "from scratch"
        logger.debug("the network starts %s", start)
        return None
    record = load_pretrained(classifier.backbone, plan.weights)
    logger.debug("the network starts with weights from %s", record.source)
    if plan.head_class_names:
        head = read_head(classifier.backbone, plan.weights)
        head.load_into(classifier.head, order_outputs(plan.head_class_names, class_names))
        logger.info("the head is that of the weights: %s", head.describe())
    return WeightsOrigin(source=record.source, sha256=record.sha256, note=record.note, licence=record.licence)


def _synchronize_batchnorm(backbone: Backbone, runtime: Runtime) -> None:
    if runtime.device.type != "cuda":
        raise ConfigError(
            f"training.sync_batchnorm works on CUDA GPUs only, and the device is {runtime.device}; leave it out, or "
            "keep BatchNorm's statistics with frozen_batchnorm=true"
        )
    backbone.synchronize_batchnorm()
