"""The forward pass without gradients, shared by validation, test, prediction, explanation and export checks."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.config.sections.training import Tta
from discern.data.reading.loaders import Batch
from discern.data.reading.preprocess import Preprocess
from discern.data.table import ImageTable
from discern.engine.loop import EpochAverages, StepResult, run_epoch
from discern.engine.views import average_views
from discern.errors import DataError
from discern.models.acceleration.accelerate import accelerate_inference
from discern.models.classifier import Classifier
from discern.processes import Processes
from discern.runtime import Runtime, is_out_of_memory

logger = logging.getLogger("discern")


class ForwardPass:
    """A network without gradients; a batch that does not fit into memory is split into smaller parts.

    Args:
        network: In evaluation mode; not changed.
        prepare: Turns the images of a batch into the network's inputs, on its device.
        runtime: Device, precision, and whether the network is accelerated.
    """

    def __init__(self, network: nn.Module, prepare: Callable[[Tensor], Tensor], runtime: Runtime) -> None:
        if runtime.accelerates:
            network = accelerate_inference(network, device=runtime.device, dtype=runtime.dtype)
        self._network = network
        self._prepare = prepare
        self._runtime = runtime
        self._parts = 1

    def __call__(self, images: Tensor) -> Tensor:
        """Return the network's output for the images (N, ...) of a batch, on the device."""
        while True:
            try:
                return torch.cat([self._compute(part) for part in images.tensor_split(min(self._parts, len(images)))])
            except RuntimeError as error:
                if not is_out_of_memory(error) or self._parts >= len(images):
                    raise
            self._parts *= 2
            logger.warning("out of memory with %d pictures at once: continuing with fewer", len(images))

    def _compute(self, images: Tensor) -> Tensor:
        inputs = self._prepare(images)
        with self._runtime.autocast():
            outputs: Tensor = self._network(inputs)
        return outputs


class CollectionStep:
    """Forward pass of one batch; keeps the network's outputs (N, C)."""

    def __init__(self, forward: Callable[[Tensor], Tensor], processes: Processes) -> None:
        self.forward = forward
        self.processes = processes
        self._rows: list[Tensor] = []
        self._outputs: list[Tensor] = []

    def __call__(self, batch: Batch) -> StepResult:
        """Keep the outputs; there is no loss or accuracy."""
        self.keep(batch)
        return StepResult(torch.zeros(()), torch.zeros((), dtype=torch.int64), 0)

    def keep(self, batch: Batch) -> Tensor:
        """Compute, keep and return the outputs of a batch."""
        outputs = self.forward(batch.images).float()
        self._rows.append(batch.rows)
        self._outputs.append(outputs)
        return outputs

    def finish(self) -> None:
        """Do nothing, since every batch is complete."""

    def collect(self) -> Tensor:
        """Return the outputs (N, C) of all batches so far, of all processes, in the order of rows."""
        own = [(torch.cat(self._rows), torch.cat(self._outputs).cpu())] if self._rows else []
        parts = [part for parts in self.processes.gather(own) for part in parts]
        if not parts:
            return torch.empty(0, 0)
        rows, outputs = (torch.cat(column) for column in zip(*parts, strict=True))
        return outputs[rows.argsort()]


class PredictionStep(CollectionStep):
    """Forward pass of one batch; keeps the logits (N, K) and counts loss and accuracy."""

    def __call__(self, batch: Batch) -> StepResult:
        """Keep the logits; pictures without a label (target -1) are left out of loss and accuracy."""
        logits = self.keep(batch)
        labelled = torch.nonzero(batch.targets >= 0)[:, 0]
        targets = batch.targets[labelled].to(logits.device)
        logits = logits[labelled.to(logits.device)]
        loss_sum = functional.cross_entropy(logits, targets, reduction="sum")
        return StepResult(loss_sum, (logits.argmax(dim=1) == targets).sum(), len(targets))


@torch.inference_mode()
def predict_logits(
    network: nn.Module,
    batches: Iterable[Batch],
    prepare: Callable[[Tensor], Tensor],
    runtime: Runtime,
    tta: Tta = "none",
) -> tuple[Tensor, EpochAverages]:
    """Return logits (N, K) in the order of rows, float32 on the CPU, and loss and accuracy of the labelled pictures.

    With `tta` they are means over the views of a picture. Each of several processes has some of the batches, and all of
    them get all logits.
    """
    with evaluating(network):
        forward = ForwardPass(network, prepare, runtime)
        step = PredictionStep(lambda images: average_views(forward, images, tta), runtime.processes)
        averages = run_epoch(batches, step, runtime.processes)
        return step.collect(), averages


@torch.inference_mode()
def collect_features(
    classifier: Classifier, batches: Iterable[Batch], prepare: Callable[[Tensor], Tensor], runtime: Runtime
) -> Tensor:
    """Return the pooled features (N, F) of the last feature map, in the order of rows, float32 on the CPU."""
    with evaluating(classifier):
        forward = ForwardPass(classifier.backbone, prepare, runtime)
        step = CollectionStep(lambda images: classifier.backbone.select_last(forward(images)), runtime.processes)
        run_epoch(batches, step, runtime.processes)
        return step.collect()


class FeaturesAndLogits(nn.Module):
    """A classifier that returns the pooled features of its last feature map together with the logits."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to pooled features and logits side by side (N, F + K)."""
        features = self.classifier.backbone(images)
        last = self.classifier.backbone.select_last(features)
        return torch.cat([last, self.classifier.forward_head(features)], dim=1)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Set a network to evaluation mode, and each of its modules back to its own mode afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def prepare_images(preprocess: Preprocess, runtime: Runtime) -> Callable[[Tensor], Tensor]:
    """Return a function that turns uint8 images (N, 3, S, S) into normalised ones on the device."""
    return lambda images: preprocess.normalize(runtime.move(images))


def check_same_rows(table: ImageTable, processes: Processes) -> None:
    """Check that all processes of a job, perhaps on several machines, have the same pictures in the same order.

    Raises:
        DataError: Pictures or their order differ.
    """
    digests = processes.gather(hashlib.sha256("\0".join(table.frame["id"]).encode()).hexdigest())
    different = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
    if different:
        raise DataError(
            f"{table.source}: processes {different} have other pictures than process 0, or another order; every "
            "machine needs the same data under the same path"
        )
