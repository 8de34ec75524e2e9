"""Optimizers with layer-wise learning rates and with weight decay for weights only."""

from collections import defaultdict
from collections.abc import Callable
from statistics import geometric_mean
from typing import Any

import torch
from torch import nn

from discern.models.classifier import Classifier
from discern.registry import Registry
from discern.runtime import has_fast_bf16

Groups = list[dict[str, Any]]

OptimizerBuilder = Callable[..., torch.optim.Optimizer]
"""Called as `builder(groups, learning_rate=..., momentum=...)`; `groups` are parameter groups as torch takes them."""

_WEIGHT_SIZE = 0.12
"""The smallest root mean square of weights that rates were seen to suit as they are; docs/research/auto.md."""
_MIN_WEIGHT_SIZE = 1e-3
"""So that layers of zeros do not stop all others."""

OPTIMIZERS: Registry[OptimizerBuilder] = Registry("optimizer")


def register_optimizer(name: str) -> Callable[[OptimizerBuilder], OptimizerBuilder]:
    """Return a decorator that adds an optimizer under a name that settings can give.

    The function takes parameter groups, each with its own `weight_decay`, and the keywords `learning_rate` and
    `momentum`. The rate of every group is set before each step.

    Raises:
        ConfigError: The name is taken.
    """
    return OPTIMIZERS.register(name)


def build_optimizer(
    name: str,
    classifier: Classifier,
    *,
    learning_rate: float,
    layer_decay: float = 1.0,
    proportional_rates: bool = False,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
) -> torch.optim.Optimizer:
    """Build an optimizer over the trainable parameters of a classifier.

    A parameter d blocks below the topmost block has the rate `learning_rate * layer_decay ** d`. Norms and biases (all
    parameters with one dimension), tokens and position embeddings get no weight decay.

    Adam moves every weight by about its rate, whatever its size. With `proportional_rates` the backbone has these rates
    if the root mean square of its weights is 0.12 or more, and otherwise lower rates in proportion: a step then changes
    no network by a larger share, also those that compute the same from smaller weights.

    Args:
        name: A registered optimizer, such as "sgd", "adam", "adamw" or "muon".
        classifier: Its frozen parameters are left out.
        learning_rate: Of the head.
        layer_decay: In (0, 1].
        proportional_rates: For adam and adamw; of the weights as they are now.
        weight_decay: At least 0.
        momentum: In [0, 1); ignored by optimizers without one.

    Raises:
        ConfigError: There is no such optimizer.

    Source: layer-wise rates after Howard & Ruder, "Universal Language Model Fine-tuning" (2018), section 3.1; rates
    relative to the root mean square of weights after Shazeer & Stern, "Adafactor: adaptive learning rates with
    sublinear memory cost" (2018), https://arxiv.org/abs/1804.04235, section 8, here of all layers together and measured
    once.
    """
    builder = OPTIMIZERS.find(name)
    depths = classifier.parameter_depths()
    top = max(depths.values())
    backbone_factor = min(1.0, _measure_weights(classifier) / _WEIGHT_SIZE) if proportional_rates else 1.0
    undecayed = classifier.parameters_without_decay()
    members: dict[tuple[int, bool], list[nn.Parameter]] = defaultdict(list)
    for parameter_name, parameter in classifier.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and parameter_name not in undecayed
            members[top - depths[parameter_name], decays].append(parameter)
    groups: Groups = [
        {
            "params": parameters,
            # A key of the group is saved and loaded with the optimizer.
            "base_rate": learning_rate * layer_decay**below * (backbone_factor if below else 1.0),
            "weight_decay": weight_decay if decays else 0.0,
            # What is no matrix of a layer, timm's Muon leaves to AdamW.
            "use_fallback": not decays,
        }
        for (below, decays), parameters in sorted(members.items(), key=lambda item: item[0])
    ]
    return builder(groups, learning_rate=learning_rate, momentum=momentum)


def _measure_weights(classifier: Classifier) -> float:
    """Return the size of the weights of the backbone: the geometric mean over its layers of their root mean square."""
    layers = [weights.detach().float() for weights in classifier.backbone.parameters() if weights.ndim > 1]
    return geometric_mean(max(float(weights.square().mean().sqrt()), _MIN_WEIGHT_SIZE) for weights in layers)


def set_rate_factor(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the rate of every group to its base rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_rate"] * factor


def get_learning_rate(optimizer: torch.optim.Optimizer) -> float:
    """Return the rate of the topmost trainable part, whose groups are the first."""
    return float(optimizer.param_groups[0]["lr"])


@register_optimizer("sgd")
def _build_sgd(groups: Groups, *, learning_rate: float, momentum: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, fused=True)


@register_optimizer("adam")
def _build_adam(groups: Groups, *, learning_rate: float, **_: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=learning_rate, fused=True)


@register_optimizer("adamw")
def _build_adamw(groups: Groups, *, learning_rate: float, **_: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


@register_optimizer("muon")
def _build_muon(groups: Groups, *, learning_rate: float, momentum: float) -> torch.optim.Optimizer:
    """Build timm's Muon, which orthogonalizes the updates of matrices and convolutions and leaves the rest to AdamW.

    torch's own takes matrices only.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), with the scale of Liu et
    al., "Muon is Scalable for LLM Training" (2025), https://arxiv.org/abs/2502.16982, section 2.2.
    """
    # timm is imported only where it is used, since that takes more than a second.
    from timm.optim.muon import Muon

    from discern.engine.muon import Float32Muon

    kind = Muon if has_fast_bf16(groups[0]["params"][0].device) else Float32Muon
    return kind(groups, lr=learning_rate, momentum=momentum, betas=(0.9, 0.999))
