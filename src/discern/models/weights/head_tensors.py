"""The head of a whole classifier in a weights file: linear layers with ReLU and dropout between them."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from discern.errors import WeightsError, name_some
from discern.models.heads import list_linear_layers
from discern.models.weights.state_dicts import find_classifier_tensors

_NAME = re.compile(r"(?P<layer>(?P<module>.+?)(\.(?P<place>\d+))?)\.(weight|bias)")
_EXPECTED = (
    "expected one linear layer, such as fc.weight and fc.bias, or linear layers with ReLU and dropout between them, "
    "such as fc.0.weight and fc.3.weight"
)


class LinearTensors(NamedTuple):
    """One linear layer: its name in the file, weight (out, in) and bias (out,)."""

    name: str
    weight: Tensor
    bias: Tensor


class HeadTensors(NamedTuple):
    """The linear layers of a head, from features to logits."""

    layers: tuple[LinearTensors, ...]

    @property
    def num_classes(self) -> int:
        """K, the number of logits."""
        return len(self.layers[-1].bias)

    @property
    def hidden_features(self) -> tuple[int, ...]:
        """The widths of the hidden layers; none for a linear head."""
        return tuple(len(layer.bias) for layer in self.layers[:-1])

    def describe(self) -> str:
        """Return the layers as text."""
        shapes = [f"{layer.name} ({layer.weight.shape[1]} to {len(layer.bias)})" for layer in self.layers]
        assumed = "; ReLU is assumed between them, since a file of weights does not name it"
        return ", ".join(shapes) + (assumed if len(shapes) > 1 else "")

    def load_into(self, head: nn.Module, order: Sequence[int]) -> None:
        """Load the layers into a head of these widths, whose outputs are those of the file in this order (K,)."""
        rows = torch.tensor(order)
        for layer, here in zip(self.layers, list_linear_layers(head), strict=True):
            is_last = layer is self.layers[-1]
            here.weight.data.copy_(layer.weight[rows] if is_last else layer.weight)
            here.bias.data.copy_(layer.bias[rows] if is_last else layer.bias)


def find_head(tensors: Mapping[str, Tensor], network: nn.Module, num_features: int, source: str) -> HeadTensors:
    """Return the head that a file holds beside the weights of a backbone.

    Args:
        tensors: Those of the file, as `read_tensors` gives them.
        network: The backbone's own, which ends in pooled features.
        num_features: F, their number.
        source: The file, for messages.

    Raises:
        WeightsError: There is none, it is no head of ours, or its numbers are not finite.
    """
    found = find_classifier_tensors(network, tensors, source=source)
    parts = [_NAME.fullmatch(name) for name in found]
    known = [part for part in parts if part is not None]
    places = sorted({int(part["place"] or 0): part["layer"] for part in known}.items())
    follow_directly = any(later - place == 1 for (place, _), (later, _) in pairwise(places))
    if not found or len(known) < len(parts) or len({part["module"] for part in known}) > 1 or follow_directly:
        given = f"a head that is not understood ({name_some(list(found))})" if found else "no head"
        raise WeightsError(f"{source} holds {given}; {_EXPECTED}")
    layers = []
    for _, name in places:
        weight = found.get(f"{name}.weight", torch.empty(0))
        layers.append(LinearTensors(name, weight, found.get(f"{name}.bias", weight.new_zeros(len(weight)))))
    _check_layers(layers, num_features, source)
    return HeadTensors(tuple(layers))


def _check_layers(layers: Sequence[LinearTensors], num_features: int, source: str) -> None:
    width = num_features
    for name, weight, bias in layers:
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
            raise WeightsError(
                f"{source}: {name} has a weight of shape {tuple(weight.shape)} and a bias of shape "
                f"{tuple(bias.shape)}; expected a linear layer that takes {width} features"
            )
        if not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            raise WeightsError(f"{source} has weights that are not finite: {name}; download or copy it again")
        width = len(weight)
