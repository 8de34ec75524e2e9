"""The one loop: training and evaluation differ only in the step."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from discern.data.reading.loaders import Batch
from discern.processes import ALONE, Processes


class StepResult(NamedTuple):
    """Sums over the pictures of one batch, so that averages are over pictures and not over batches.

    `loss_sum` and `correct` are scalars on the device.
    """

    loss_sum: Tensor
    correct: Tensor
    images: int


class Step(Protocol):
    """What is done with one batch."""

    def __call__(self, batch: Batch) -> StepResult:
        """Process one batch."""

    def finish(self) -> None:
        """Complete the work after the last batch."""


class EpochAverages(NamedTuple):
    """Averages over the pictures of an epoch; NaN if there was none."""

    loss: float
    accuracy: float
    images: int


def run_epoch(batches: Iterable[Batch], step: Step, processes: Processes = ALONE) -> EpochAverages:
    """Call `step` with every batch and return averages over all pictures of all processes."""
    # Sums stay on the device until the end, so that no batch waits for it.
    losses, corrects, images = [], [], 0
    for batch in batches:
        result = step(batch)
        losses.append(result.loss_sum)
        corrects.append(result.correct)
        images += result.images
    step.finish()
    all_loss, all_correct, all_images = processes.sum([_add_up(losses), _add_up(corrects), images])
    if all_images == 0:
        return EpochAverages(float("nan"), float("nan"), 0)
    return EpochAverages(all_loss / all_images, all_correct / all_images, int(all_images))


def _add_up(values: list[Tensor]) -> float:
    return torch.stack(values).cpu().double().sum().item() if values else 0.0
