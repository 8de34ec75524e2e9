"""Optimizers with rates that fall towards the stem and weight decay where it belongs."""

from collections import defaultdict
from typing import Any

import torch
from torch import nn

from discern.config.settings import PhaseSettings
from discern.engine.muon import Muon, is_matrix
from discern.models.classifier import Classifier


def build_optimizer(classifier: Classifier, phase: PhaseSettings, dtype: torch.dtype) -> torch.optim.Optimizer:
    """Return the optimizer of a phase over the parameters that learn.

    A parameter d blocks below the topmost has the rate `top_rate * block_decay ** d`. Norms and biases (all
    parameters with one dimension) get no weight decay. Muon multiplies matrices in `dtype`.

    Source: layer-wise rates after Howard & Ruder, "Universal Language Model Fine-tuning" (2018), section 3.1.
    """
    depths = classifier.parameter_depths()
    top = max(depths.values())
    members: dict[tuple[int, bool, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in classifier.named_parameters():
        if parameter.requires_grad:
            is_turned = phase.optimizer == "muon" and is_matrix(parameter)
            members[top - depths[name], parameter.ndim > 1, is_turned].append(parameter)
    groups: list[dict[str, Any]] = [
        {
            "params": parameters,
            # As a plain key of the group it is saved and loaded with the optimizer.
            "base_rate": phase.top_rate * phase.block_decay**below,
            "weight_decay": phase.weight_decay if decays else 0.0,
            "orthogonalized": is_turned,
        }
        for (below, decays, is_turned), parameters in sorted(members.items(), key=lambda item: item[0])
    ]
    if phase.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=phase.top_rate, momentum=phase.momentum, fused=True)
    if phase.optimizer == "adam":
        return torch.optim.Adam(groups, lr=phase.top_rate, fused=True)
    if phase.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=phase.top_rate, fused=True)
    if phase.optimizer == "muon":
        return Muon(groups, lr=phase.top_rate, momentum=phase.momentum, dtype=dtype)
    raise ValueError(f"the optimizer of phase {phase.name} is still {phase.optimizer}")


def set_rate_factor(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set the rate of every group to its base rate times `factor`."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_rate"] * factor


def get_learning_rate(optimizer: torch.optim.Optimizer) -> float:
    """Return the highest rate among the groups: that of the topmost part that learns."""
    return float(max(group["lr"] for group in optimizer.param_groups))
