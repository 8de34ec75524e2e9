"""Faster training on a CPU of deep convolutions on small maps, as a ResNet has them at the end for small pictures."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_FEWEST_CHANNELS = 256
_MOST_POSITIONS = 49


def quicken_small_maps(network: nn.Module) -> None:
    """Make deep 3x3 convolutions of a network learn from small maps by matrix products, while it trains in bf16.

    What they give is the same. For 512 channels on maps of 4x4, oneDNN takes five times as long for the gradient of the
    weights as the product of what is given and the patches that it belongs to, and twice as long for the maps and their
    gradient; on maps of 8x8 and more the patches cost too much.
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
        patches = _unfold(functional.pad(maps, (1, 1, 1, 1)), stride)
        images, height, width = patches.shape[:3]
        patches = patches.reshape(images * height * width, -1)
        ctx.save_for_backward(patches, weight)
        ctx.maps_shape, ctx.stride = maps.shape, stride
        # In this order, which takes half as long as the other one.
        product = (_flatten(weight) @ patches.T).T
        if bias is not None:
            product = product + bias
        # No view, since what follows may change it in place.
        shape = images, len(weight), height, width
        convolved = torch.empty(shape, dtype=maps.dtype, memory_format=torch.channels_last)
        return convolved.copy_(product.view(images, height, width, -1).permute(0, 3, 1, 2))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None, None]:
        (given,) = gradients
        patches, weight = ctx.saved_tensors
        images, channels, height, width = ctx.maps_shape
        by_position = given.permute(0, 2, 3, 1).reshape(len(patches), -1)
        for_maps = None
        if ctx.needs_input_grad[0]:
            # Where patches overlap, what they give is summed, in fp32.
            padded = given.new_zeros(images, channels, height + 2, width + 2, dtype=torch.float32)
            padded = padded.to(memory_format=torch.channels_last)
            into = _unfold(padded, ctx.stride)
            for_patches = (by_position @ _flatten(weight)).view(into.shape)
            for row in range(3):
                for column in range(3):
                    into[:, :, :, row, column] += for_patches[:, :, :, row, column]
            for_maps = padded[:, :, 1:-1, 1:-1].to(given.dtype)
        for_weight = (by_position.T @ patches).view(-1, 3, 3, channels).permute(0, 3, 1, 2)
        for_bias = by_position.sum(0) if ctx.needs_input_grad[2] else None
        return for_maps, for_weight, for_bias, None


def _unfold(maps: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Return a view (N, h, w, 3, 3, C) of the patches of maps (N, C, H, W)."""
    patches = maps.permute(0, 2, 3, 1)
    for dimension, step in enumerate(stride, start=1):
        patches = patches.unfold(dimension, 3, step)
    return patches.permute(0, 1, 2, 4, 5, 3)


def _flatten(weight: Tensor) -> Tensor:
    """Return weights (D, C, 3, 3) as (D, 9 C), in the order of the patches."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
