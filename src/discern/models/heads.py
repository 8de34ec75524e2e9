"""The last part of a classifier: from pooled features to logits."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from discern.errors import ConfigError

HeadKind = Literal["linear", "mlp"]


class LinearHead(nn.Module):
    """One linear layer, with optional dropout before it."""

    def __init__(self, in_features: int, num_classes: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(in_features, num_classes))

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, F) to logits (N, K)."""
        logits: Tensor = self.layers(features)
        return logits


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


def build_head(
    kind: str, in_features: int, num_classes: int, hidden_features: Sequence[int], dropout: float
) -> nn.Module:
    """Build a head; `hidden_features` matters to "mlp" only.

    Raises:
        ConfigError: The kind is unknown, a size is not positive or the dropout is outside [0, 1).
    """
    if num_classes < 1 or any(width < 1 for width in hidden_features):
        raise ConfigError(
            f"A head with {num_classes} classes and hidden layers {tuple(hidden_features)} cannot be built; "
            "every size must be at least 1."
        )
    if not 0.0 <= dropout < 1.0:
        raise ConfigError(f"dropout is {dropout:g}; expected a share from 0 up to, not including, 1.")
    if kind == "linear":
        return LinearHead(in_features, num_classes, dropout=dropout)
    if kind == "mlp":
        return MlpHead(in_features, num_classes, hidden_features=hidden_features, dropout=dropout)
    raise ConfigError(f'The head is {kind!r}; expected "linear" or "mlp".')
