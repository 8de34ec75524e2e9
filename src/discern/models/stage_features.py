"""What feature maps say beyond the averages of the last one: of the upper stages, and of how channels vary together."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, fx
from torch.amp import is_autocast_available

Features = Literal["last", "stages", "covariances"]
"""What the head reads. last: averages of the last feature map; stages: also mean and deviation of each channel of the
upper stages' maps; covariances: also how the channels of one of them vary together."""

Stage = TypeVar("Stage")

_PAIRED = 1
"""The place among the upper stages of the one whose channels are paired: a sixteenth of the picture's side in most
networks. The stage above it adds little, and the one below it less."""
_MAX_CHANNELS = 128
"""Maps of more channels are mixed to so many before these are paired, since pairs grow with their square."""
_MIN_VARIANCE = 1e-6
"""So that the deviation of a channel without any has a gradient."""
_RIDGE = 1e-4
"""Of the mean variance, added to each: Newton's steps need matrices that can be inverted."""
_ROOT_STEPS = 5


def count_stage_features(widths: Sequence[int], reading: Features) -> int:
    """Return how many features `describe_stages` gives for maps of so many channels."""
    if reading == "last":
        return 0
    channels = min(_choose_paired(widths), _MAX_CHANNELS)
    return 2 * sum(widths) + (channels * (channels + 1) // 2 if reading == "covariances" else 0)


def describe_stages(maps: Sequence[Tensor], reading: Features) -> list[Tensor]:
    """Return the features (N, ...) that the maps (N, C, h, w) of the upper stages give, in float32."""
    if reading == "last":
        return []
    described = [summarize_channels(one) for one in maps]
    return [*described, pair_channels(_choose_paired(maps))] if reading == "covariances" else described


def _choose_paired(stages: Sequence[Stage]) -> Stage:
    """Return what stands for the stage whose channels are paired; a network may have only one that is upper."""
    return stages[min(_PAIRED, len(stages) - 1)]


def summarize_channels(maps: Tensor) -> Tensor:
    """Return mean and standard deviation (N, 2 C) of each channel of maps (N, C, h, w), in float32."""
    values = maps.float().flatten(2)
    means = values.mean(dim=2, keepdim=True)
    deviations = ((values - means).square().mean(dim=2) + _MIN_VARIANCE).sqrt()
    return torch.cat([means.squeeze(2), deviations], dim=1)


@fx.wrap  # Its steps depend on shapes, which a traced graph does not know.
def pair_channels(maps: Tensor) -> Tensor:
    """Return the square root of the covariance of the channels of maps (N, C, h, w), in float32.

    It is symmetric: its upper triangle (N, P) is returned, P = C (C + 1) / 2, where more than 128 channels are mixed to
    128 first. The root weakens the few directions in which the maps vary most, as a deviation does with a variance.

    Source: Li, Xie, Wang, Gao, "Towards faster training of global covariance pooling networks by iterative matrix
    square root normalization", 2018, https://arxiv.org/abs/1712.01034.
    """
    with _in_full_precision(maps.device):
        values = maps.float().flatten(2)
        if values.shape[1] > _MAX_CHANNELS:
            values = torch.from_numpy(_build_mixture(values.shape[1])).to(values.device) @ values
        values = values - values.mean(dim=2, keepdim=True)
        root = _find_root(values @ values.transpose(1, 2) / values.shape[2])
    rows, columns = torch.triu_indices(root.shape[1], root.shape[1], device=root.device)
    return root[:, rows, columns]


def _in_full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Keep autocast from half precision, in which the steps to the root do not converge."""
    return torch.autocast(device.type, enabled=False) if is_autocast_available(device.type) else nullcontext()


def _find_root(covariances: Tensor) -> Tensor:
    """Return about the square roots (N, C, C) of covariances, by the coupled iteration of Newton and Schulz."""
    channels = covariances.shape[1]
    identity = torch.eye(channels, device=covariances.device)
    traces = covariances.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None] + _MIN_VARIANCE
    root = covariances / traces + _RIDGE / channels * identity
    inverse = identity.expand_as(root)
    for _ in range(_ROOT_STEPS):
        step = (3 * identity - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return root * traces.sqrt()


@lru_cache(maxsize=4)
def _build_mixture(channels: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return a matrix (P, C) that mixes channels at random, the same on every machine and in every version of NumPy."""
    mixture = np.random.RandomState(0).standard_normal((_MAX_CHANNELS, channels)) / np.sqrt(channels)
    return np.asarray(mixture, np.float32)
