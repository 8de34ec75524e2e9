"""The statistics of BatchNorm: estimated from pictures as they are, since those are what the network predicts."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from discern.data.reading.loaders import Batch
from discern.runtime import Runtime

SAMPLE_IMAGES = 256
"""How many pictures they are estimated from."""


@torch.no_grad()
def estimate_statistics(
    network: nn.Module, batches: Sequence[Batch], prepare: Callable[[Tensor], Tensor], runtime: Runtime
) -> None:
    """Replace the running statistics of every BatchNorm that learns them by the means over some batches.

    What was averaged during training comes from augmented pictures: cut out and enlarged, so that they are less sharp.

    Source: Wu & Johnson, "Rethinking 'Batch' in BatchNorm", 2021, https://arxiv.org/abs/2105.07576, section 3.

    Args:
        network: What is changed; it is left in evaluation mode but for these BatchNorms.
        batches: Training pictures without augmentation, of many classes in each batch, since variances are means over
            batches.
        prepare: Turns the images of a batch into what the network takes, on its device.
        runtime: Where and how it is computed.
    """
    network.train()
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
    momenta = [norm.momentum for norm in norms]
    # Dropout and the like rest, as they do when pictures are predicted.
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
