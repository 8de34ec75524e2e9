"""The same results in less time: all that is done to a network so that it computes faster.

Everything else in this folder is a transformation with equal results up to rounding, and is called from here alone.
Building a network applies none of them, so that a program that calls neither function is plain PyTorch. Where a
transformation does not apply, for instance because a network cannot be traced, the network is left as it is.
"""

import torch
from torch import nn

from discern.models.acceleration.depthwise import speed_up_depthwise
from discern.models.acceleration.folding import fold_batchnorm, fold_frozen_batchnorm
from discern.models.acceleration.fusion import fuse_convolutions


def accelerate_inference(network: nn.Module, *, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Return a network with its own weights that gives the same results without gradients.

    BatchNorm is folded into the convolution before it. On a CPU, convolutions also apply the activation and add the
    shortcut behind them.

    Args:
        network: In eval mode; it is not changed.
        device: Where it lies.
        dtype: Data type of its convolutions: that of the autocast in which it runs, float32 without one.
    """
    folded = fold_batchnorm(network)
    return fuse_convolutions(folded, dtype) if device.type == "cpu" else folded


def accelerate_training(
    network: nn.Module, *, frozen_batchnorm: bool, device: torch.device, dtype: torch.dtype
) -> nn.Module:
    """Return a network that shares all weights and has the same logits and gradients.

    On a CPU, frozen BatchNorm is folded into the convolution before it, and in bfloat16 some depthwise
    convolutions take a way that has a fast gradient. On other devices neither saves time.

    Args:
        network: A classifier or a part of one. It is not changed; call `train()` and `eval()` on it as before.
        frozen_batchnorm: Whether every BatchNorm stays in eval mode while the network trains.
        device: Where it lies.
        dtype: Data type of its convolutions: that of the autocast in which it runs, float32 without one.
    """
    if device.type != "cpu":
        return network
    if frozen_batchnorm:
        network = fold_frozen_batchnorm(network)
    return speed_up_depthwise(network) if dtype == torch.bfloat16 else network
