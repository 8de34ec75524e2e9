"""Two linear heads that learn side by side, one of them from the last feature map alone; their mean is one, too."""

import copy

import torch
from torch import Tensor, nn

from discern.models.heads import LinearHead, list_linear_layers


class PairedHeads(nn.Module):
    """A linear head on all features, and one on those of the last feature map, each of which has to be right by itself.

    A head on many features soon fits the training pictures, and leaves the layers below it nothing to learn. The one on
    the last map alone does not, so that they go on learning.

    Source: a second classifier that keeps the layers below it learning is that of Lee et al., "Deeply-supervised nets",
    2015, https://arxiv.org/abs/1409.5185; to answer with the mean of both is ours.

    Args:
        head: On all features (F), those of the last map first; it is copied, and both begin with its weights.
        num_last: How many features the last map has.
    """

    def __init__(self, head: LinearHead, num_last: int) -> None:
        super().__init__()
        (layer,) = list_linear_layers(head)
        shorter = nn.Linear(num_last, layer.out_features, device=layer.weight.device, dtype=layer.weight.dtype)
        with torch.no_grad():
            shorter.weight.copy_(layer.weight[:, :num_last])
            shorter.bias.copy_(layer.bias)
        self.on_all, self.on_last = copy.deepcopy(head), copy.deepcopy(head)
        self.on_last.layers[-1] = shorter
        self._num_last = num_last

    def forward(self, features: Tensor) -> Tensor:
        """Map features (N, F) to the logits (2, N, K) of both heads."""
        return torch.stack([self.on_all(features), self.on_last(features[:, : self._num_last])])

    @torch.no_grad()
    def write_mean(self, head: LinearHead) -> None:
        """Give a linear head on all features the weights with which its logits are the mean of both."""
        (of_all,), (of_last,), (layer,) = (list_linear_layers(one) for one in (self.on_all, self.on_last, head))
        layer.weight.copy_(of_all.weight / 2)
        layer.weight[:, : self._num_last] += of_last.weight / 2
        layer.bias.copy_((of_all.bias + of_last.bias) / 2)
