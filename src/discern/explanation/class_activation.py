"""Evidence for a class on the grids of the feature maps that a head reads.

No hooks: the feature maps are computed without gradients, so that it does not matter what of the backbone is frozen,
and only what lies behind them is differentiated, with respect to the maps. No parameter gets a gradient.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from discern.errors import ConfigError
from discern.models.classifier import Classifier

_ANY = "integrated-gradients explains any backbone"


def compute_grad_cam(classifier: Classifier, images: Tensor, targets: Tensor) -> list[Tensor]:
    """Return for each map that the head reads, the last one first, the evidence (N, h, w) for the classes (N,).

    It is the sum over the channels of the map, weighted by their mean gradients; below 0 it is evidence against the
    class. Images are normalised; the classifier is in evaluation mode.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017,
    https://arxiv.org/abs/1610.02391. The last map is the one behind its activation or norm.

    Raises:
        ConfigError: The features of the backbone are not made of its maps.
    """
    maps, gradients = _differentiate_maps(classifier, images, targets)
    weights = [gradient.mean(dim=(2, 3), keepdim=True) for gradient in gradients]
    return [(weight * one).sum(dim=1) for weight, one in zip(weights, maps, strict=True)]


def compute_hires_cam(classifier: Classifier, images: Tensor, targets: Tensor) -> list[Tensor]:
    """Return for each map that the head reads, the last one first, the evidence (N, h, w) for the classes (N,).

    It is the map, weighted place by place with its gradients. Grad-CAM averages the gradients first, and may so mark
    places that the network did not use. Where the head is linear and works on averages of the last map, both are the
    same; there the evidence adds up to the logit but for its bias, which no weighting of the same map can do better. It
    also does behind deviations and roots of covariances, which double with the map as averages do (Euler's theorem).

    Source: Draelos, Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
    networks", 2020, https://arxiv.org/abs/2011.08891.

    Raises:
        ConfigError: The features of the backbone are not made of its maps.
    """
    maps, gradients = _differentiate_maps(classifier, images, targets)
    return [(gradient * one).sum(dim=1) for gradient, one in zip(gradients, maps, strict=True)]


def _differentiate_maps(
    classifier: Classifier, images: Tensor, targets: Tensor
) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Return all maps (N, C, h, w) that the features are made of, and the gradients of the targets' logits there."""
    with torch.no_grad():
        # One picture explained for several classes in a row goes through the network once.
        different, place = torch.unique_consecutive(images, dim=0, return_inverse=True)
        computed = classifier.backbone.forward_maps(different.contiguous(memory_format=torch.channels_last))
    maps = [one[place].requires_grad_() for one in computed]
    with torch.enable_grad():
        try:
            features = classifier.backbone.pool_maps(maps)
        except ConfigError as error:
            other = "attention explains this backbone" if classifier.backbone.has_attention else _ANY
            raise ConfigError(f"{error} The method {other}.") from None
        if features.shape != (len(images), classifier.backbone.num_features):
            raise ConfigError(
                f"The features of {classifier.backbone.name} are not made of its maps. The method {_ANY}."
            )
        scores = classifier.forward_head(features).gather(1, targets[:, None])
        gradients = torch.autograd.grad(scores.sum(), maps)
    return [one.detach() for one in maps], gradients
