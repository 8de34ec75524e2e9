"""Which convolutions compute what their settings say, so that others may compute it in their place."""

from torch import nn

from discern.models import timm_layers


def is_plain_convolution(layer: nn.Module) -> bool:
    """Return whether a layer is torch's convolution with zeros around the map, or timm's that pads by its stride.

    Other subclasses may compute anything.
    """
    is_plain = type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return is_plain or timm_layers.pads_by_stride(layer)
