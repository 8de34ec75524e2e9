"""Architecture -> classifier."""

from discern.models.architecture import Architecture
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import build_head


def build_classifier(architecture: Architecture, num_classes: int) -> Classifier:
    """Build a classifier with random weights; pretrained ones are loaded into its backbone by `load_pretrained`.

    Raises:
        ConfigError: The backbone or the head is unknown, or an option does not fit it.
    """
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
