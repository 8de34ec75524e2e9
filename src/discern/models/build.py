"""Architecture -> classifier."""

from discern.errors import ConfigError
from discern.models.architecture import CUSTOM, Architecture
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.custom import Network, wrap_network
from discern.models.heads import build_head


def build_classifier(architecture: Architecture, num_classes: int, network: Network | None = None) -> Classifier:
    """Build a classifier with random weights; pretrained ones are loaded into its backbone by `load_pretrained`.

    A network of the user's own (`network`) takes the place of everything else and keeps its weights.

    Raises:
        ConfigError: The backbone or the head is unknown, an option does not fit it, or the user's network is missing.
    """
    if network is not None:
        return wrap_network(network, num_classes)
    if architecture.backbone == CUSTOM:
        raise ConfigError("the network was given as a Python object, which no file holds; give it again as network=")
    backbone = build_backbone(
        architecture.backbone,
        stem=architecture.stem,
        stochastic_depth=architecture.stochastic_depth,
        zero_init_residual=architecture.zero_init_residual,
    )
    head = build_head(
        architecture.head,
        backbone.num_features,
        num_classes,
        hidden_features=architecture.hidden_features,
        dropout=architecture.dropout,
    )
    return Classifier(backbone, head)
