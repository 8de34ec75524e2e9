"""Lets a CPU apply activations and add shortcuts inside a convolution, without another pass over the map.

These are oneDNN's fused convolutions, which torch's compiler also calls; here nothing is compiled.
"""

import copy
import operator
from collections.abc import Container
from operator import attrgetter
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from discern.models import timm_layers
from discern.models.acceleration.convolutions import is_plain_convolution

_ACTIVATIONS: dict[type[nn.Module], tuple[str, list[float]]] = {
    nn.Identity: ("none", []),
    nn.ReLU: ("relu", []),
    nn.ReLU6: ("hardtanh", [0.0, 6.0]),
    nn.SiLU: ("swish", []),
    nn.Hardswish: ("hardswish", []),
}
"""oneDNN's name of each activation, and its numbers."""

_ADDITIONS = (operator.add, operator.iadd, torch.add)

_MAX_WEIGHT = 1e4
"""Far above any weight of a working network, also after BatchNorms of silent channels have been folded in."""


def fuse_convolutions(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a module for inference on a CPU whose convolutions do the work of the sums and activations after them.

    Maps are rounded once instead of after the convolution, the sum and the activation; logits differ by that.

    Args:
        module: What `fold_batchnorm` returned; it is not changed.
        dtype: Of weights and maps of the convolutions, bfloat16 or float32.

    Returns:
        The module itself where torch has no fused convolutions for this processor or no graph of the module is known,
        and where weights have grown beyond all bounds: fused activations turn NaN into 0, and would hide that the
        network is broken.
    """
    if not isinstance(module, fx.GraphModule) or not _can_fuse(dtype):
        return module
    if not all(bool((parameter.abs() <= _MAX_WEIGHT).all()) for parameter in module.parameters()):
        return module
    graph = copy.deepcopy(module.graph)
    _drop_identities(graph, module)
    calls = graph.find_nodes(op="call_module")
    targets = [node.target for node in calls]
    fused: dict[str, Any] = {}
    for call in calls:
        layer = module.get_submodule(str(call.target))
        if is_plain_convolution(layer) and targets.count(call.target) == 1:
            activation = _fuse_followers(call, module, fused)
            fused[str(call.target)] = _FusedConvolution(cast("nn.Conv2d", layer), activation, dtype)
    kept = {str(node.target) for node in graph.nodes if node.op in ("call_module", "get_attr")} - fused.keys()
    return fx.GraphModule({target: attrgetter(target)(module) for target in kept} | fused, graph).eval()


def _can_fuse(dtype: torch.dtype) -> bool:
    operations = torch.ops.mkldnn
    if not hasattr(operations, "_convolution_pointwise"):
        return False
    return dtype == torch.float32 or bool(operations._is_mkldnn_bf16_supported())


class _FusedConvolution(nn.Module):
    """A convolution, the sum with a shortcut if there is one, and an activation, in one pass."""

    def __init__(self, convolution: nn.Conv2d, activation: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.weight = convolution.weight.detach().to(dtype)
        self.bias = None if convolution.bias is None else convolution.bias.detach().to(dtype)
        self.kernel_size, self.stride, self.dilation = convolution.kernel_size, convolution.stride, convolution.dilation
        self.pads_by_stride = timm_layers.pads_by_stride(convolution)
        self.padding = (0, 0) if self.pads_by_stride else cast("tuple[int, ...]", convolution.padding)
        self.channels, self.groups = convolution.out_channels, convolution.groups
        self.activation = activation

    def forward(self, maps: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """Map (N, C, H, W) to (N, K, h, w); the shortcut is overwritten."""
        maps = maps.to(self.weight.dtype)
        if self.pads_by_stride:
            maps = timm_layers.pad_by_stride(maps, self.kernel_size, self.stride, self.dilation)
        geometry = [*self.padding], [*self.stride], [*self.dilation], self.groups
        if not self.weight.is_mkldnn:
            # Done once, in oneDNN's own order; otherwise it would rearrange them in every call.
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *geometry, [*maps.shape])
        convolution, activation = (self.weight, self.bias, *geometry), _ACTIVATIONS[type(self.activation)]
        output: Tensor
        if shortcut is None:
            output = torch.ops.mkldnn._convolution_pointwise(maps, *convolution, *activation, "")
        elif shortcut.shape[1:] == (self.channels, *self._sides_after(maps)):
            activation_after = "relu" if type(self.activation) is nn.ReLU else None
            fused = torch.ops.mkldnn._convolution_pointwise_.binary
            output = fused(shortcut, maps, *convolution, "add", 1.0, activation_after, [], "")
        else:
            convolved = torch.ops.mkldnn._convolution_pointwise(maps, *convolution, *_ACTIVATIONS[nn.Identity], "")
            output = self.activation(convolved + shortcut)
        return output

    def _sides_after(self, maps: Tensor) -> tuple[int, ...]:
        """Return height and width of the output."""
        parts = zip(maps.shape[-2:], self.padding, self.stride, self.dilation, self.kernel_size, strict=True)
        return tuple(
            (side + 2 * pad - apart * (kernel - 1) - 1) // step + 1 for side, pad, step, apart, kernel in parts
        )


def _drop_identities(graph: fx.Graph, module: nn.Module) -> None:
    """Remove layers that do nothing, which would separate a convolution from what follows it."""
    for node in graph.find_nodes(op="call_module"):
        if isinstance(module.get_submodule(str(node.target)), nn.Identity):
            _replace(node, cast("fx.Node", node.args[0]))


def _fuse_followers(call: fx.Node, module: nn.Module, fused: Container[str]) -> nn.Module:
    """Let the call of a convolution do the work of the sum and the activation after it; return the activation."""
    last, addition = call, _only_user(call)
    shortcut = None if addition is None else _find_spare_shortcut(addition, call, fused)
    if addition is not None and shortcut is not None:
        with call.graph.inserting_before(addition):
            last = call.graph.call_module(str(call.target), (*call.args, shortcut))
        _replace(addition, last)
        call.graph.erase_node(call)
    follower = _only_user(last)
    if follower is not None and follower.op == "call_module":
        activation = module.get_submodule(str(follower.target))
        # After a sum, oneDNN has no other activation.
        if type(activation) is nn.ReLU or (last is call and type(activation) in _ACTIVATIONS):
            _replace(follower, last)
            return activation
    return nn.Identity()


def _find_spare_shortcut(addition: fx.Node, call: fx.Node, fused: Container[str]) -> fx.Node | None:
    """Return what is added to a convolution if it may be overwritten; None otherwise, and if there is no addition.

    It must be the output of a fused convolution, which owns it, and may be read only by fused convolutions before.
    """
    others = [summand for summand in addition.args if summand is not call]
    if addition.target not in _ADDITIONS or addition.kwargs or len(others) != 1:
        return None
    (shortcut,) = others
    if not isinstance(shortcut, fx.Node):
        return None
    owners = [shortcut, *(user for user in shortcut.users if user is not addition)]
    is_spare = all(node.op == "call_module" and node.target in fused and node < addition for node in owners)
    return shortcut if is_spare else None


def _only_user(node: fx.Node) -> fx.Node | None:
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def _replace(node: fx.Node, replacement: fx.Node) -> None:
    node.replace_all_uses_with(replacement)
    node.graph.erase_node(node)
