"""Faster gradients on a CPU for deep convolutions on small maps, as a ResNet has them at the end for small pictures."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

_FEWEST_CHANNELS = 256
_MOST_POSITIONS = 49


def quicken_weight_gradients(network: nn.Module) -> None:
    """Make deep 3x3 convolutions of a network learn from small maps by one matrix product, while it trains in bf16.

    What they give is the same. For the weights of 512 channels on maps of 4x4, oneDNN takes five times as long as the
    product of the gradient and the patches that it belongs to; on maps of 8x8 and more the patches cost too much.
    """
    for module in network.modules():
        # No subclass: those of timm pad by the input that they see.
        if type(module) is nn.Conv2d and _is_deep_3x3(module):
            vars(module)["_conv_forward"] = partial(_convolve, stride=module.stride)


def _is_deep_3x3(module: nn.Conv2d) -> bool:
    is_plain = module.groups == 1 and module.dilation == (1, 1)
    is_padded = module.padding == (1, 1) and module.padding_mode == "zeros"
    return is_plain and is_padded and module.kernel_size == (3, 3) and module.in_channels >= _FEWEST_CHANNELS


def _convolve(maps: Tensor, weight: Tensor, bias: Tensor | None, *, stride: tuple[int, ...]) -> Tensor:
    learns = torch.is_grad_enabled() and weight.requires_grad and maps.device.type == "cpu"
    if learns and torch.is_autocast_enabled("cpu"):
        height, width = (-(-side // step) for side, step in zip(maps.shape[-2:], stride, strict=True))
        if height * width <= _MOST_POSITIONS:
            dtype = torch.get_autocast_dtype("cpu")
            bias = None if bias is None else bias.to(dtype)
            convolved: Tensor = _Convolution.apply(maps.to(dtype), weight.to(dtype), bias, stride)
            return convolved
    return functional.conv2d(maps, weight, bias, stride, padding=1)


class _Convolution(torch.autograd.Function):
    """Maps (N, C, H, W), weights (D, C, 3, 3) and a bias (D,), if there is one, to (N, D, H / stride, W / stride)."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.stride = stride
        return functional.conv2d(maps, weight, bias, stride, padding=1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        (given,) = gradients
        maps, weight = ctx.saved_tensors
        for_maps = None
        if ctx.needs_input_grad[0]:
            for_maps = conv2d_input(maps.shape, weight, given, ctx.stride, padding=1)  # type: ignore[no-untyped-call]
        patches = functional.pad(maps, (1, 1, 1, 1)).permute(0, 2, 3, 1)
        for dimension, step in enumerate(ctx.stride, start=1):
            patches = patches.unfold(dimension, 3, step)
        # Rows are positions, columns the 3 x 3 x C of their patches.
        patches = patches.permute(0, 1, 2, 4, 5, 3).reshape(-1, 9 * maps.shape[1])
        for_weight = given.permute(1, 0, 2, 3).flatten(1) @ patches
        for_bias = given.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return for_maps, for_weight.view(-1, 3, 3, maps.shape[1]).permute(0, 3, 1, 2), for_bias, None
