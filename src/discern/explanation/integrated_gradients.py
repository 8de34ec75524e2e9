"""Evidence for a class pixel by pixel, whatever the network is made of."""

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 32
"""Points on the way from the baseline to the picture."""

_POINTS_AT_ONCE = 8


def compute_integrated_gradients(
    network: Callable[[Tensor], Tensor], images: Tensor, targets: Tensor, *, steps: int = STEPS
) -> Tensor:
    """Return how much each value of the images (N, 3, H, W) adds to the logits of the classes (N,), below 0 if against.

    The gradients are averaged on the straight way from a picture of the mean colour (0 after normalising) to this one,
    at the middle of each of `steps` pieces, and multiplied with the difference of the two pictures. All values of a
    picture add up to the difference of the logits at both ends, up to the error of that sum. The network is in
    evaluation mode; none of its parameters gets a gradient.

    Source: Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks", 2017, https://arxiv.org/abs/1703.01365.
    There the baseline is black; the mean colour is what padding looks like here, and as far from black as from white.
    """
    pictures = [_integrate(network, image, target, steps) for image, target in zip(images, targets, strict=True)]
    return torch.stack(pictures)


def _integrate(network: Callable[[Tensor], Tensor], image: Tensor, target: Tensor, steps: int) -> Tensor:
    """Integrate for one image (3, H, W), a few points at a time, since all together may not fit into memory."""
    middles = (torch.arange(steps, device=image.device) + 0.5) / steps
    total = torch.zeros_like(image)
    for part in torch.split(middles, _POINTS_AT_ONCE):
        points = (part.view(-1, 1, 1, 1) * image).requires_grad_()
        with torch.enable_grad():
            (gradients,) = torch.autograd.grad(network(points)[:, target].sum(), points)
        total += gradients.sum(dim=0)
    return total / steps * image
