"""Heads, the last part of a classifier: from pooled features to logits."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

from torch import Tensor, nn

from discern.errors import ConfigError
from discern.registry import Registry

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

HEADS: Registry[Callable[..., nn.Module]] = Registry("head")


def register_head(name: str) -> Callable[[Builder], Builder]:
    """Return a decorator that adds a head under a name that settings can give as `model.head`.

    What is decorated is a function or class that is called as
    `build(in_features, num_classes, hidden_features=..., dropout=...)` and returns a network with random weights,
    features (N, F) to logits (N, K).

    Raises:
        ConfigError: The name is taken.
    """
    return HEADS.register(name)  # type: ignore[return-value]


class LinearHead(nn.Module):
    """One linear layer, with optional dropout before it."""

    def __init__(self, in_features: int, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(in_features, num_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, F) to logits (N, K)."""
        logits: Tensor = self.layers(features)
        return logits


@register_head("linear")
def _build_linear(in_features: int, num_classes: int, *, hidden_features: Sequence[int], dropout: float) -> nn.Module:  # noqa: ARG001 - heads are all called alike
    return LinearHead(in_features, num_classes, dropout=dropout)


@register_head("mlp")
class MlpHead(nn.Module):
    """Hidden layers, each with ReLU and dropout, between the pooled features and the logits."""

    def __init__(
        self, in_features: int, num_classes: int, *, hidden_features: Sequence[int] = (512,), dropout: float = 0.5
    ) -> None:
        super().__init__()
        widths = [in_features, *hidden_features]
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers += [nn.Linear(width_in, width_out), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], num_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, F) to logits (N, K)."""
        logits: Tensor = self.layers(features)
        return logits


def list_linear_layers(head: nn.Module) -> list[nn.Linear]:
    """Return the linear layers of a "linear" or an "mlp" head, from the features to the logits.

    Raises:
        ConfigError: It is another head.
    """
    if not isinstance(head, LinearHead | MlpHead):
        raise ConfigError(f"the head is a {type(head).__name__}; expected a linear or an mlp head")
    return [layer for layer in head.layers if isinstance(layer, nn.Linear)]


def build_head(
    kind: str, in_features: int, num_classes: int, hidden_features: Sequence[int], dropout: float
) -> nn.Module:
    """Build a registered head, "linear" or "mlp" for instance, with random weights.

    Args:
        kind: Its name.
        in_features: F, the length of the pooled features.
        num_classes: K, at least 1.
        hidden_features: Widths of hidden layers, each at least 1; a head without any does not use them.
        dropout: In [0, 1).

    Raises:
        ConfigError: The kind is unknown, or a value is out of range.
    """
    build = HEADS.find(kind)
    if num_classes < 1 or any(width < 1 for width in hidden_features):
        raise ConfigError(
            f"A head with {num_classes} classes and hidden layers {tuple(hidden_features)} cannot be built; "
            "every size must be at least 1."
        )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"dropout is {dropout:g}; expected a share from 0 up to, not including, 1.")
    return build(in_features, num_classes, hidden_features=hidden_features, dropout=dropout)
