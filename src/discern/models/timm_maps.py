"""The feature maps of timm's networks: the last one, how features are pooled from it, and those of the upper stages."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.timm_network import TimmNetwork, count_prefix_tokens

_POOLS_OF_PATCHES = ("avg", "avgmax", "max", "map")
"""timm's names of the ways of pooling that may leave a class token and registers out."""
_UPPER_STAGES = 3
"""How many stages are read; those below see little more than edges and colours."""


def forward_map(network: nn.Module, images: Tensor) -> Tensor:
    """Map images (N, 3, H, W) to the last feature map (N, C, h, w); tokens of a transformer are arranged as a map.

    Raises:
        ConfigError: The last features cannot be arranged as a map.
    """
    features = cast("TimmNetwork", network).forward_features(images)
    if features.ndim == 4:
        return features.permute(0, 3, 1, 2) if _is_channels_last(network) else features
    if features.ndim == 3:
        tokens = features[:, count_prefix_tokens(network) :]
        side = math.isqrt(tokens.shape[1])
        if side * side == tokens.shape[1]:
            return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], side, side)
    raise ConfigError(
        f"{type(network).__name__} ends in features of shape {tuple(features.shape)}, which are no map of the picture; "
        "choose a convolutional backbone, such as resnet50."
    )


def pool_map(network: nn.Module, maps: Tensor) -> Tensor:
    """Map what `forward_map` gives, (N, C, h, w), to the pooled features (N, F) that the network gives.

    Raises:
        ConfigError: The features are not computed from that map alone, for instance because a class token gives them.
    """
    if not _pools_patches_alone(network):
        raise ConfigError(f"The features of {type(network).__name__} are not made of its last feature map alone.")
    features = maps
    if _is_channels_last(network):
        features = maps.permute(0, 2, 3, 1)
    elif hasattr(network, "num_prefix_tokens"):
        features = maps.flatten(2).transpose(1, 2)
        num_others = count_prefix_tokens(network)
        if num_others:
            # A class token or registers, which pooling leaves out.
            features = torch.cat([features.new_zeros(len(maps), num_others, features.shape[2]), features], dim=1)
    return cast("TimmNetwork", network).forward_head(features)


def _is_channels_last(network: nn.Module) -> bool:
    return bool(getattr(network, "output_fmt", "NCHW") == "NHWC")


def _pools_patches_alone(network: nn.Module) -> bool:
    """Return whether no class token or register has a share in the features."""
    if not count_prefix_tokens(network):
        return True
    includes_others = getattr(network, "pool_include_prefix", False)
    return getattr(network, "global_pool", "token") in _POOLS_OF_PATCHES and not includes_others


def find_stage_widths(network: nn.Module) -> tuple[int, ...]:
    """Return the channels of the maps of `forward_stages`; none for a network that has no such maps."""
    if not hasattr(network, "forward_intermediates") or hasattr(network, "num_prefix_tokens"):
        return ()
    stages = cast("TimmNetwork", network).feature_info
    return tuple(int(stages[place]["num_chs"]) for place in _list_upper_stages(network))


def forward_stages(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Map images (N, 3, H, W) to the last feature map (N, C, h, w), and to the maps of the upper stages."""
    last, stages = cast("TimmNetwork", network).forward_intermediates(images, indices=_list_upper_stages(network))
    return last.permute(0, 3, 1, 2) if _is_channels_last(network) else last, stages


def _list_upper_stages(network: nn.Module) -> list[int]:
    """Return the places of the last three stages, without one that ends in the last feature map."""
    described = cast("TimmNetwork", network)
    count = len(described.feature_info)
    ends_in_last = described.feature_info[-1]["num_chs"] == described.num_features
    return list(range(count)[-_UPPER_STAGES : count - ends_in_last])
