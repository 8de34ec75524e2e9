"""The statistics of BatchNorm: taken of pictures as they are, since that is how they will be answered."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from discern.config.settings import PhaseSettings
from discern.data.reading.loaders import Batch
from discern.processes import ALONE
from discern.runtime import Runtime
from discern.training.batches import TrainingData

SAMPLE_IMAGES = 256


def learns_other_statistics(phase: PhaseSettings) -> bool:
    """Return whether a phase learns from pictures that are not as those that are answered."""
    return phase.is_augmented or phase.image_scale != 1


class PlainSample:
    """Some training pictures without augmentation, the same ones after every epoch, kept as bytes.

    Args:
        data: Where they come from, drawn by its seed.
        prepare: Turns the images of a batch into what the network takes, on its device.
        runtime: Where and how it is computed.
    """

    def __init__(self, data: TrainingData, prepare: Callable[[Tensor], Tensor], runtime: Runtime) -> None:
        self._data = data
        self._prepare = prepare
        self._runtime = runtime

    @torch.no_grad()
    def estimate_statistics(self, network: nn.Module) -> None:
        """Replace the running statistics of every BatchNorm that learns them by the means over the sample.

        What was averaged while learning is of augmented pictures: cut out and blown up, so that they are less sharp.

        Source: Wu & Johnson, "Rethinking 'Batch' in BatchNorm", 2021, https://arxiv.org/abs/2105.07576, section 3.
        """
        network.train()
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.training]
        momenta = [norm.momentum for norm in norms]
        # Dropout and the like rest, as they do when pictures are answered.
        network.eval()
        for norm in norms:
            norm.train()
            norm.reset_running_stats()
            norm.momentum = None
        if norms:
            for batch in self._batches:
                with self._runtime.autocast():
                    network(self._prepare(batch.images))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    @cached_property
    def _batches(self) -> list[Batch]:
        # All processes take the same ones, so that none waits for another.
        data = replace(self._data, processes=ALONE, workers=0, cache=None, pin_memory=False)
        count = min(len(data.train), SAMPLE_IMAGES)
        # Not sorted, since variances are means over batches, which need pictures of many classes each.
        rows = np.random.default_rng(data.seed).choice(len(data.train), count, replace=False)
        batch_size = -(-count // -(-count // data.batch_size))
        return list(data.build_evaluation_loader(data.train.take(rows), batch_size=batch_size).batches())
