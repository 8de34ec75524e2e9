"""Estimates the statistics of BatchNorm from pictures without augmentation, like those that the network predicts."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from discern.data.reading.loaders import Batch
from discern.runtime import Runtime

SAMPLE_IMAGES = 256
"""Number of pictures that the statistics are estimated from."""


@torch.no_grad()
def estimate_statistics(
    network: nn.Module, batches: Sequence[Batch], prepare: Callable[[Tensor], Tensor], runtime: Runtime
) -> None:
    """Replace the running statistics of every BatchNorm that is not frozen by the means over some batches.

    The averages of training come from augmented pictures, which are less sharp, since they are cropped and enlarged.

    Source: Wu & Johnson, "Rethinking 'Batch' in BatchNorm", 2021, https://arxiv.org/abs/2105.07576, section 3.

    Args:
        network: Changed in place; afterwards in evaluation mode, except for these BatchNorms.
        batches: Training pictures without augmentation; each batch has many classes, since variances are averaged over
            batches.
        prepare: Turns the images of a batch into the network's inputs, on its device.
        runtime: Device and precision.
    """
    network.train()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    momenta = [norm.momentum for norm in norms]
    # Dropout and the like are off, as in prediction.
    network.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    if norms:
        for batch in batches:
            with runtime.autocast():
                network(prepare(batch.images))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
