"""Evidence for a class on the grid of a network's last feature map.

No hooks: the feature map is computed without gradients, so that it does not matter what of the backbone is frozen, and
only what lies behind it is differentiated, with respect to the map. No parameter gets a gradient.
"""

import torch
from torch import Tensor

from discern.errors import ConfigError
from discern.models.classifier import Classifier

_ANY = "integrated-gradients explains any backbone"


def compute_grad_cam(classifier: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Return the evidence (N, h, w) for the classes (N,): channels of the map, weighted by their mean gradients.

    Only evidence in favour is kept; where everything is evidence against the class the map is 0. Images are normalised;
    the classifier is in evaluation mode.

    Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017,
    https://arxiv.org/abs/1610.02391. The map is the last one, behind its activation or norm.

    Raises:
        ConfigError: The features of the backbone are not made of its last map.
    """
    maps, gradients = _differentiate_map(classifier, images, targets)
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * maps).sum(dim=1).relu()


def compute_hires_cam(classifier: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Return the evidence (N, h, w) for the classes (N,): the map, weighted place by place with its gradients.

    Grad-CAM averages the gradients first, and may so mark places that the network did not use. Where the head is linear
    and works on averages of the map, both are the same; there the map without `relu` adds up to the logit but for its
    bias, which no weighting of the same map can do better.

    Source: Draelos, Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
    networks", 2020, https://arxiv.org/abs/2011.08891. As in Grad-CAM, only evidence in favour is kept.

    Raises:
        ConfigError: The features of the backbone are not made of its last map.
    """
    maps, gradients = _differentiate_map(classifier, images, targets)
    return (gradients * maps).sum(dim=1).relu()


def _differentiate_map(classifier: Classifier, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the last feature map (N, C, h, w) and the gradients of the targets' logits there.

    Features that are made of other maps count as constants.
    """
    with torch.no_grad():
        # One picture explained for several classes in a row goes through the network once.
        different, place = torch.unique_consecutive(images, dim=0, return_inverse=True)
        maps, others = classifier.backbone.forward_parts(different.contiguous(memory_format=torch.channels_last))
        maps, others = maps[place], others[place]
    maps = maps.detach().requires_grad_()
    with torch.enable_grad():
        try:
            features = classifier.backbone.join_features(maps, others)
        except ConfigError as error:
            other = "attention explains this backbone" if classifier.backbone.has_attention else _ANY
            raise ConfigError(f"{error} The method {other}.") from None
        scores = classifier.forward_head(features).gather(1, targets[:, None])
        (gradients,) = torch.autograd.grad(scores.sum(), maps)
    return maps.detach(), gradients
