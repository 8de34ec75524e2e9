"""Settings -> classifier."""

from discern.config.settings import ModelSettings
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import build_head


def build_classifier(settings: ModelSettings, num_classes: int) -> Classifier:
    """Build a classifier with random weights; pretrained ones are loaded into its backbone by `load_pretrained`.

    A stem that is still `auto` becomes the one of the published networks.

    Raises:
        ConfigError: The backbone is unknown, or a setting does not fit it.
    """
    backbone = build_backbone(
        settings.backbone,
        stem="imagenet" if settings.stem == "auto" else settings.stem,
        stochastic_depth=settings.stochastic_depth,
        zero_init_residual=settings.zero_init_residual,
    )
    head = build_head(
        settings.head,
        backbone.num_features,
        num_classes,
        hidden_features=settings.hidden_features,
        dropout=settings.dropout,
    )
    return Classifier(backbone, head)
