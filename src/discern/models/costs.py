"""The operations and the memory that a network needs for one picture, counted without computing anything."""

import copy

import torch
from torch import Tensor, nn

_FLOAT32_BYTES = 4


def count_flops(module: nn.Module, image_size: int) -> int:
    """Return the floating-point operations of the forward pass of one picture, two for every multiply-add.

    Convolutions, linear layers and attention are counted; published tables often give multiply-adds, half as much.

    Args:
        module: Takes images (N, 3, H, W); it is neither run nor changed.
        image_size: Height and width in pixels.
    """
    from torch.utils.flop_counter import FlopCounterMode  # loads a compiler, which training may not need

    network, images = _without_data(module, image_size)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(images)
    return int(counter.get_total_flops())


def count_activation_bytes(module: nn.Module, image_size: int) -> int:
    """Return the bytes of all outputs of the modules of a network for one picture, in float32.

    When the whole network trains, a training step in float32 keeps as much for its backward pass, within about a third.
    A tensor that a module changes in place or passes on is counted once; intermediate results inside a module are not.

    Args:
        module: Takes images (N, 3, H, W); it is neither run nor changed.
        image_size: Height and width in pixels.
    """
    network, images = _without_data(module, image_size)
    # Keeping the tensors prevents a later one from getting the id of an earlier one.
    outputs: dict[int, Tensor] = {}

    def keep_output(_module: nn.Module, _inputs: object, output: object) -> None:
        tensors = output if isinstance(output, tuple | list) else [output]
        outputs.update({id(tensor): tensor for tensor in tensors if isinstance(tensor, Tensor)})

    for part in network.modules():
        part.register_forward_hook(keep_output)
    with torch.no_grad():
        network(images)
    outputs.pop(id(images), None)
    return _FLOAT32_BYTES * sum(tensor.numel() for tensor in outputs.values())


def _without_data(module: nn.Module, image_size: int) -> tuple[nn.Module, Tensor]:
    """Return a copy of a module in eval mode and one image, both as shapes without numbers."""
    shapes: dict[int, object] = {id(buffer): buffer.to("meta") for buffer in module.buffers()}
    for parameter in module.parameters():
        shapes[id(parameter)] = nn.Parameter(parameter.to("meta"), requires_grad=False)
    network = copy.deepcopy(module, shapes).float().eval()
    return network, torch.empty(1, 3, image_size, image_size, device="meta")
