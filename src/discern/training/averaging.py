"""Averages of the weights, which are validated and kept instead of the weights that are trained."""

import copy
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


class MeanWithInitial:
    """A second network, whose weights lie between those that a phase began with and those that it has now.

    What a pretrained network knew is kept in it, and what it learns from few pictures is softened.

    Source: Wortsman et al., "Robust fine-tuning of zero-shot models", 2022, https://arxiv.org/abs/2109.01903.

    Args:
        classifier: At the start of the phase; it is copied.
        share: Of its weights in the mean, from 0 to 1.
    """

    def __init__(self, classifier: Classifier, share: float) -> None:
        self.classifier = copy.deepcopy(classifier)
        self._initial = copy.deepcopy(classifier.state_dict())
        self._share = share

    @torch.no_grad()
    def update(self, trained: Classifier) -> None:
        """Set the mean by the weights of `trained`, and the statistics of BatchNorm likewise; counts are copied."""
        means = self.classifier.state_dict()
        for name, tensor in trained.state_dict().items():
            has_mean = tensor.is_floating_point()
            means[name].copy_(torch.lerp(tensor, self._initial[name], self._share) if has_mean else tensor)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the initial weights."""
        return self._initial

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        for name, tensor in self._initial.items():
            tensor.copy_(state[name])
