"""Layers of timm that compute more than those of torch of the same kind."""

from typing import cast

from torch import Tensor, nn


def layers_after_normalizing(norm: nn.Module) -> tuple[str, ...] | None:
    """Return the names of the submodules that timm's BatchNorm calls after normalizing; None for another layer."""
    from timm.layers.norm_act import BatchNormAct2d

    return ("drop", "act") if type(norm) is BatchNormAct2d else None


def pads_by_stride(layer: nn.Module) -> bool:
    """Return whether this is timm's convolution that pads as TensorFlow does: by stride and size of the map."""
    # timm is imported by then if the layer is of timm; otherwise it is not imported only to see that it is not.
    return type(layer).__name__ == "Conv2dSame" and type(layer).__module__.startswith("timm.")


def pad_by_stride(
    maps: Tensor, kernel_size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Tensor:
    """Pad maps (N, C, H, W) as timm's convolution that pads by stride does, before it convolves."""
    from timm.layers.padding import pad_same

    padded: Tensor = pad_same(maps, kernel_size, stride, dilation)  # type: ignore[arg-type]
    return padded


def padding_before(layer: nn.Conv2d, maps: Tensor) -> tuple[int, ...]:
    """Return how many rows and columns `pad_by_stride` adds above maps (N, C, H, W) and to their left."""
    from timm.layers.padding import get_same_padding

    sizes = zip(maps.shape[-2:], layer.kernel_size, layer.stride, layer.dilation, strict=True)
    return tuple(int(get_same_padding(*size)) // 2 for size in sizes)


def synchronize_batchnorm(network: nn.Module) -> nn.Module:
    """Let every BatchNorm use the batches of all processes; timm's activations inside of them are kept."""
    from timm.layers.norm_act import convert_sync_batchnorm

    return cast("nn.Module", convert_sync_batchnorm(network))  # type: ignore[no-untyped-call]
