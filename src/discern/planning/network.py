"""Chooses the network for these pictures: the stem, and the size of the images, each with its reason."""

from collections.abc import Sequence
from typing import NamedTuple

from discern.config.settings import Settings
from discern.data.table import ImageTable
from discern.models.architecture import CUSTOM, Architecture
from discern.models.build import build_classifier
from discern.models.classifier import Classifier
from discern.models.custom import Network
from discern.planning.candidates import Start
from discern.planning.loaded_head import adopt_head
from discern.planning.sizes import choose_image_size, choose_stem, find_shorter_side
from discern.planning.start import ChosenStart


class ChosenNetwork(NamedTuple):
    """What is trained: its start, its architecture, the network itself, and the side of its images in pixels."""

    start: Start
    architecture: Architecture
    classifier: Classifier
    image_size: int


def choose_network(
    settings: Settings,
    train: ImageTable,
    sides: Sequence[tuple[int, int]],
    found: ChosenStart,
    network: Network | None,
    *,
    has_time: bool,
) -> tuple[ChosenNetwork, dict[str, str | None]]:
    """Return the network for these pictures, and the reason for each choice by the name of its setting.

    `has_time` says whether the pictures may be larger than usual.
    """
    start, reasons = found.start, {"starting point": found.reason}
    asked_size = settings.data.image_size
    size_seen = find_shorter_side(sides) if asked_size == "auto" else asked_size
    stem, reasons["model.stem"] = choose_stem(settings.model.stem, start.backbone, start.weights, size_seen)
    architecture = _describe_architecture(settings, start).model_copy(update={"stem": stem})
    classifier = build_classifier(
        architecture, len(train.class_names), network, image_size=None if asked_size == "auto" else asked_size
    )
    if settings.model.load_head:
        names = settings.model.class_names
        architecture, reasons["model.head"] = adopt_head(
            architecture, start.weights, classifier, names, train.class_names
        )
        classifier = build_classifier(architecture, len(train.class_names))
    size, reasons["data.image_size"] = choose_image_size(
        settings, classifier.backbone, start.weights, stem, sides, has_time=has_time
    )
    classifier.backbone.set_image_size(size)
    return ChosenNetwork(start, architecture, classifier, size), reasons


def _describe_architecture(settings: Settings, start: Start) -> Architecture:
    model = settings.model
    if start.backbone == CUSTOM:
        return Architecture(backbone=CUSTOM)
    return Architecture(
        backbone=start.backbone,
        features=start.features,
        head=model.head,
        hidden_features=model.hidden_features,
        dropout=model.dropout,
        stochastic_depth=model.stochastic_depth,
        zero_init_residual=model.zero_init_residual,
    )
