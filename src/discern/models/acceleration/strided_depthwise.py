"""Faster gradients on a CPU for depthwise convolutions that halve the resolution, as MobileNets have them."""

from typing import Any

import torch
from torch import Tensor, nn


def quicken_gradients(network: nn.Module) -> None:
    """Make strided depthwise convolutions of a network compute every position and take some, while it trains in bf16.

    What they give is the same. oneDNN has no fast gradient for the strided kind in bf16: of MobileNetV2's training step
    it takes a third, while the same convolution without a stride takes a tenth of that.
    """
    for module in network.modules():
        # No subclass: those of timm pad by the stride that they see.
        if type(module) is nn.Conv2d and _is_strided_depthwise(module):
            detour = _Detour(module.stride)
            module.register_forward_pre_hook(detour.begin)
            module.register_forward_hook(detour.end)


def _is_strided_depthwise(module: nn.Conv2d) -> bool:
    is_depthwise = module.groups == module.in_channels == module.out_channels > 1
    return is_depthwise and max(module.stride) > 1 and not isinstance(module.padding, str)


class _Detour:
    """Hooks that take a stride off before the convolution, and take every s-th row and column after it."""

    def __init__(self, stride: tuple[int, ...]) -> None:
        self._stride = stride

    def begin(self, module: nn.Module, inputs: Any) -> None:  # noqa: ARG002 - as hooks are called
        goes_round = module.training and torch.is_autocast_enabled("cpu")
        vars(module)["stride"] = (1, 1) if goes_round else self._stride

    def end(self, module: nn.Module, inputs: Any, outputs: Tensor) -> Tensor | None:  # noqa: ARG002
        if vars(module)["stride"] == self._stride:
            return None
        vars(module)["stride"] = self._stride
        taken: Tensor = _TakeEvery.apply(outputs, self._stride)
        return taken


class _TakeEvery(torch.autograd.Function):
    """Maps (N, C, H, W) to every s-th row and column, all in channels-last layout, which torch's slicing gives up."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, stride: tuple[int, ...]) -> Tensor:
        ctx.stride, ctx.shape = stride, maps.shape
        return maps[..., :: stride[0], :: stride[1]].contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (given,) = gradients
        spread = torch.empty(ctx.shape, dtype=given.dtype, device=given.device, memory_format=torch.channels_last)
        spread.zero_()[..., :: ctx.stride[0], :: ctx.stride[1]] = given
        return spread, None
