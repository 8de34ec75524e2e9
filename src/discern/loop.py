"""The one loop: training and evaluation differ only in the step."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from discern.data.loaders import Batch


class StepResult(NamedTuple):
    """Sums over the pictures of one batch, so that averages come out over pictures and never over batches."""

    loss_sum: float
    correct: int
    images: int


class Step(Protocol):
    """What is done with one batch."""

    def __call__(self, batch: Batch) -> StepResult:
        """Process one batch."""

    def finish(self) -> None:
        """Complete what a batch left open, after the last one."""


class EpochAverages(NamedTuple):
    """Averages over the pictures of an epoch; not a number where there was no picture."""

    loss: float
    accuracy: float
    images: int


def run_epoch(batches: Iterable[Batch], step: Step) -> EpochAverages:
    """Give every batch to `step` and return averages over all pictures."""
    loss_sum, correct, images = 0.0, 0, 0
    for batch in batches:
        result = step(batch)
        loss_sum += result.loss_sum
        correct += result.correct
        images += result.images
    step.finish()
    if images == 0:
        return EpochAverages(float("nan"), float("nan"), 0)
    return EpochAverages(loss_sum / images, correct / images, images)
