"""Faster gradients on a CPU for depthwise convolutions that halve the resolution, as MobileNets have them."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def spread_strided_depthwise(network: nn.Module) -> nn.Module:
    """Return a network whose strided depthwise convolutions compute every position and keep some, where gradients flow.

    The results are the same. In bfloat16 oneDNN has no fast gradient for the strided kind: it takes a third of
    MobileNetV2's training step, while the same convolution without a stride takes a tenth of that.

    Returns:
        A network around the given one, which it calls; the given one itself where it has no such convolutions.
    """
    # No subclasses: those of timm compute their padding from the stride.
    convolutions = [layer for layer in network.modules() if type(layer) is nn.Conv2d and _is_strided_depthwise(layer)]
    return _SpreadingNetwork(network, convolutions) if convolutions else network


def _is_strided_depthwise(layer: nn.Conv2d) -> bool:
    is_depthwise = layer.groups == layer.in_channels == layer.out_channels > 1
    pads_plainly = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return is_depthwise and max(layer.stride) > 1 and pads_plainly


class _SpreadingNetwork(nn.Module):
    """A network whose given convolutions take the other way while it is called, and only then."""

    def __init__(self, network: nn.Module, convolutions: list[nn.Conv2d]) -> None:
        super().__init__()
        self.network = network
        # In a tuple they are no submodules a second time.
        self._convolutions = tuple(convolutions)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W), or what the network takes, to what the network gives."""
        with _spreading(self._convolutions):
            outputs: Tensor = self.network(images)
        return outputs


@contextmanager
def _spreading(convolutions: tuple[nn.Conv2d, ...]) -> Iterator[None]:
    """Replace how convolutions compute; what they are, and their weights, stay as they are."""
    for layer in convolutions:
        vars(layer)["_conv_forward"] = partial(_convolve, layer)
    try:
        yield
    finally:
        for layer in convolutions:
            del vars(layer)["_conv_forward"]


def _convolve(layer: nn.Conv2d, maps: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not torch.is_grad_enabled() or not (maps.requires_grad or weight.requires_grad):
        return functional.conv2d(maps, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
    everywhere = functional.conv2d(maps, weight, bias, 1, layer.padding, layer.dilation, layer.groups)
    kept: Tensor = _KeepEvery.apply(everywhere, layer.stride)
    return kept


class _KeepEvery(torch.autograd.Function):
    """Keeps every s-th row and column of maps (N, C, H, W), in channels-last layout, which torch's slicing gives up."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, stride: tuple[int, ...]) -> Tensor:
        ctx.stride, ctx.shape = stride, maps.shape
        return maps[..., :: stride[0], :: stride[1]].contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (kept,) = gradients
        everywhere = torch.empty(ctx.shape, dtype=kept.dtype, device=kept.device, memory_format=torch.channels_last)
        everywhere.zero_()[..., :: ctx.stride[0], :: ctx.stride[1]] = kept
        return everywhere, None
