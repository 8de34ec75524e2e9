"""The methods that say where in a picture the evidence for a class lies.

To add one, decorate a function with `register_explanation`.
"""

from collections.abc import Callable, Sequence
from math import ceil

import torch
from torch import Tensor

from discern.explanation.attention_relevance import compute_attention_relevance
from discern.explanation.cells import enlarge_map, locate_cells
from discern.explanation.class_activation import compute_grad_cam, compute_hires_cam
from discern.explanation.integrated_gradients import compute_integrated_gradients
from discern.models.backbone import Backbone
from discern.predictor.bundle import Bundle
from discern.registry import Registry

Explanation = Callable[[Bundle, Tensor, Tensor], Tensor]
"""(bundle, normalised images (N, 3, S, S), targets (N,)) to evidence (N, S, S), 0 and above."""

EXPLANATIONS: Registry[Explanation] = Registry("explanation method")

AUTO = "auto"
"""Stands for the method that suits the backbone."""

register_explanation = EXPLANATIONS.register
"""Return a decorator that adds a method of type `Explanation` under a name."""

_BLUR_SHARE = 0.02
"""Of the side of the picture: values of single pixels are too scattered to be seen."""


@register_explanation("grad-cam")
def _map_grad_cam(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    return _join(compute_grad_cam(bundle.classifier, images, targets), bundle, images)


@register_explanation("hires-cam")
def _map_hires_cam(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    return _join(compute_hires_cam(bundle.classifier, images, targets), bundle, images)


@register_explanation("attention")
def _map_attention(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    """Return the evidence on the patches, which tile the picture."""
    evidence = compute_attention_relevance(bundle.classifier, images, targets)
    return enlarge_map(evidence, images.shape[-1], None)


@register_explanation("integrated-gradients")
def _map_integrated_gradients(bundle: Bundle, images: Tensor, targets: Tensor) -> Tensor:
    """Return the evidence in favour, averaged over neighbouring pixels."""
    from torchvision.transforms.v2.functional import gaussian_blur  # takes a second to load

    evidence = compute_integrated_gradients(bundle.classifier, images, targets).sum(dim=1)
    sigma = _BLUR_SHARE * evidence.shape[-1]
    blurred: Tensor = gaussian_blur(evidence, kernel_size=[2 * ceil(3 * sigma) + 1] * 2, sigma=[sigma, sigma])
    return blurred.relu()


def check_method(name: str) -> None:
    """Check that there is a method of this name, or that it is "auto".

    Raises:
        ConfigError: There is none.
    """
    if name != AUTO:
        EXPLANATIONS.find(name)


def choose_method(name: str, backbone: Backbone) -> str:
    """Return the name of a method: that given, or for "auto" attention in a vision transformer and else Grad-CAM."""
    if name != AUTO:
        return name
    return "attention" if backbone.has_attention else "grad-cam"


def _join(evidences: Sequence[Tensor], bundle: Bundle, images: Tensor) -> Tensor:
    """Return what the evidence (N, h, w) on several maps adds up to on the picture, 0 where it is against the class."""
    side = images.shape[-1]
    # A cell of a coarse map spreads its evidence over more pixels.
    cells = locate_cells(bundle.architecture, len(evidences))
    enlarged = [
        enlarge_map(evidence, side, own) * evidence.shape[1:].numel()
        for evidence, own in zip(evidences, cells, strict=True)
    ]
    return torch.stack(enlarged).sum(dim=0).relu()
