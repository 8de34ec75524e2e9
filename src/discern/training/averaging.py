"""Exponential moving average of the weights."""

from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from discern.models.classifier import Classifier

Tensors = tuple[Tensor, ...] | list[Tensor]


class WeightAverage:
    """A second network whose weights are a moving average of those of the trained network.

    Source: Polyak & Juditsky (1992). After n updates the decay is min(decay, (1 + n) / (10 + n)), so that the average
    of a short training covers its later part.
    """

    def __init__(self, classifier: Classifier, decay: float) -> None:
        def follow(averages: Tensors, weights: Tensors, updates: Tensor | int) -> None:
            n = int(updates)
            torch._foreach_lerp_(list(averages), list(weights), 1 - min(decay, (1 + n) / (10 + n)))

        self._averaged = AveragedModel(classifier, multi_avg_fn=follow)

    @property
    def classifier(self) -> Classifier:
        """The averaged network."""
        return cast("Classifier", self._averaged.module)

    def update(self, classifier: Classifier) -> None:
        """Update the averages with the weights of `classifier`; its BatchNorm statistics are copied."""
        self._averaged.update_parameters(classifier)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged weights, the buffers and the number of updates."""
        return self._averaged.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self._averaged.load_state_dict(state)
