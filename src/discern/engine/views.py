"""Test-time augmentation: an answer is the mean over several views of a picture.

Every view shows the pixels of the square that the network sees, at other places, so that none is resampled.

Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012, section 4.1, for the
mirror image and the four corners, which lie a fourteenth of the side away from the centre. We mirror at the edges
instead of enlarging the picture, as Jordan does in "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024,
https://arxiv.org/abs/2404.00498, and as there average logits and not probabilities: calibrating is an affine map of
logits, so that the mean of calibrated logits is the calibrated mean, and one row of logits stays all that calibration,
evidence and exported files know of a picture. What averaging may break: Shanmugam et al., "Better Aggregation in
Test-Time Augmentation", 2021, https://arxiv.org/abs/2011.11156.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from discern.config.sections.training import Tta

NUM_VIEWS: dict[Tta, int] = {"none": 1, "flip": 2, "five": 5}
_SHIFT = 1 / 14


def build_views(images: Tensor, tta: Tta) -> list[Tensor]:
    """Return the views of images (N, 3, S, S) of any type, each of the same shape; the first is the images themselves.

    "flip" adds the mirror image, "five" the picture shifted along both diagonals by 1/14 of the side.
    """
    if tta == "flip":
        return [images, images.flip(-1)]
    if tta == "five":
        step = max(1, round(images.shape[-1] * _SHIFT))
        return [images, *(_shift(images, down, right) for down in (-step, step) for right in (-step, step))]
    return [images]


def average_views(forward: Callable[[Tensor], Tensor], images: Tensor, tta: Tta, *, num_features: int = 0) -> Tensor:
    """Return outputs (N, F + K) of images (N, 3, S, S) whose logits (N, K) are the means over the views.

    The `num_features` columns before the logits stay those of the picture itself, with which training pictures are
    compared.
    """
    outputs = forward(images)
    others = build_views(images, tta)[1:]
    if not others:
        return outputs
    features, logits = outputs.float().tensor_split([num_features], dim=1)
    total = logits + sum(forward(view)[:, num_features:].float() for view in others)
    return torch.cat([features, total / (1 + len(others))], dim=1)


def _shift(images: Tensor, down: int, right: int) -> Tensor:
    """Return images moved by so many pixels; where nothing is left to show, they are continued mirrored."""
    rows, columns = (_mirror(images.shape[-1], step, images.device) for step in (down, right))
    return images.index_select(-2, rows).index_select(-1, columns)


def _mirror(side: int, step: int, device: torch.device) -> Tensor:
    """Return which place of an axis is shown at each place (S,) of the moved one."""
    places = (torch.arange(side, device=device) - step).abs()
    return side - 1 - (side - 1 - places).abs()
