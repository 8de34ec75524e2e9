"""Architecture -> classifier."""

import torch

from discern.errors import ConfigError
from discern.models.architecture import CUSTOM, Architecture
from discern.models.backbone import BackboneFacts, build_backbone
from discern.models.classifier import Classifier
from discern.models.custom import Network, wrap_network
from discern.models.ensemble import build_ensemble
from discern.models.heads import build_head


def build_classifier(
    architecture: Architecture, num_classes: int, network: Network | None = None, *, image_size: int | None = None
) -> Classifier:
    """Build a classifier with random weights; pretrained ones are loaded into its backbone by `load_pretrained`.

    Args:
        architecture: Backbone and head with their options, or an ensemble of them.
        num_classes: K.
        network: The user's own, which takes the place of backbone and head, and keeps its weights.
        image_size: Height and width of the images in pixels; by default what the backbone's weights were trained with.

    Raises:
        ConfigError: The backbone or the head is unknown, an option does not fit it, or the user's network is missing,
            cannot be used or is not wanted.
    """
    if architecture.members:
        one = architecture.of_member
        members = [build_classifier(one, num_classes, network, image_size=image_size) for _ in architecture.members]
        return build_ensemble(members, architecture.members, torch.ones(num_classes), torch.zeros(num_classes))
    if architecture.backbone == CUSTOM:
        if network is None:
            raise ConfigError("the classifier has a network of yours, which no file holds; give it again as network=")
        return wrap_network(network, num_classes, image_size=image_size or BackboneFacts().image_size)
    if network is not None:
        raise ConfigError(f"the classifier has the backbone {architecture.backbone}; leave network= out")
    backbone = build_backbone(
        architecture.backbone,
        stem=architecture.stem,
        stochastic_depth=architecture.stochastic_depth,
        zero_init_residual=architecture.zero_init_residual,
        image_size=image_size,
    )
    backbone.read(architecture.features)
    head = build_head(
        architecture.head,
        backbone.num_features,
        num_classes,
        hidden_features=architecture.hidden_features,
        dropout=architecture.dropout,
    )
    return Classifier(backbone, head)
