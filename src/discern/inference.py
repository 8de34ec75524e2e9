"""Images in, named answers out: the one prediction path of validation, test, predict and evaluate."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.answers import AnswerForm, build_answers, build_policy
from discern.bundle import Bundle, Calibration
from discern.data.dataset import ImageDataset
from discern.data.inputs import Input, load_inputs
from discern.data.loaders import Batch, EvaluationLoader, build_evaluation_loader, choose_workers
from discern.data.preprocess import Preprocess
from discern.data.table import ImageTable
from discern.errors import BundleError, DataError, ImageProblem
from discern.loop import EpochAverages, StepResult, run_epoch
from discern.models.classifier import Classifier
from discern.models.folding import fold_batchnorm
from discern.models.fusion import fuse_convolutions
from discern.processes import Processes
from discern.runtime import Runtime, is_out_of_memory

logger = logging.getLogger("discern")


class ForwardPass:
    """A network without gradients; pictures that do not fit into the memory at once go through it in parts.

    Args:
        network: In evaluation mode; BatchNorm is folded into its convolutions, and on a CPU so is what follows it.
        prepare: Turns the images of a batch into what the network takes, on its device.
        runtime: Where and how it is computed.
    """

    def __init__(self, network: nn.Module, prepare: Callable[[Tensor], Tensor], runtime: Runtime) -> None:
        self._network = fold_batchnorm(network)
        if runtime.device.type == "cpu":
            self._network = fuse_convolutions(self._network, runtime.dtype)
        self._prepare = prepare
        self._runtime = runtime
        self._parts = 1

    def __call__(self, images: Tensor) -> Tensor:
        """Return what the network gives for the images (N, ...) of a batch, on the device."""
        while True:
            try:
                return torch.cat([self._compute(part) for part in images.tensor_split(min(self._parts, len(images)))])
            except RuntimeError as error:
                if not is_out_of_memory(error) or self._parts >= len(images):
                    raise
            self._parts *= 2
            logger.warning("out of memory with %d pictures at once: going on with fewer", len(images))

    def _compute(self, images: Tensor) -> Tensor:
        inputs = self._prepare(images)
        with self._runtime.autocast():
            outputs: Tensor = self._network(inputs)
        return outputs


class CollectionStep:
    """Forward pass of one batch; keeps what the network gives, (N, C)."""

    def __init__(self, forward: ForwardPass, processes: Processes) -> None:
        self.forward = forward
        self.processes = processes
        self._rows: list[Tensor] = []
        self._outputs: list[Tensor] = []

    def __call__(self, batch: Batch) -> StepResult:
        """Keep the outputs; nothing is counted."""
        self.keep(batch)
        return StepResult(torch.zeros(()), torch.zeros((), dtype=torch.int64), 0)

    def keep(self, batch: Batch) -> Tensor:
        """Compute, keep and return the outputs of a batch."""
        outputs = self.forward(batch.images).float()
        self._rows.append(batch.rows)
        self._outputs.append(outputs)
        return outputs

    def finish(self) -> None:
        """Nothing is left open between batches."""

    def collect(self) -> Tensor:
        """Return the outputs (N, C) of all batches so far, those of other processes included, in the order of rows."""
        own = [(torch.cat(self._rows), torch.cat(self._outputs).cpu())] if self._rows else []
        parts = [part for parts in self.processes.gather(own) for part in parts]
        if not parts:
            return torch.empty(0, 0)
        rows, outputs = (torch.cat(column) for column in zip(*parts, strict=True))
        return outputs[rows.argsort()]


class PredictionStep(CollectionStep):
    """Forward pass of one batch; keeps the logits (N, K) and counts loss and accuracy."""

    def __call__(self, batch: Batch) -> StepResult:
        """Keep the logits; pictures without a label (target -1) count in neither loss nor accuracy."""
        logits = self.keep(batch)
        labelled = torch.nonzero(batch.targets >= 0)[:, 0]
        targets = batch.targets[labelled].to(logits.device)
        logits = logits[labelled.to(logits.device)]
        loss_sum = functional.cross_entropy(logits, targets, reduction="sum")
        return StepResult(loss_sum, (logits.argmax(dim=1) == targets).sum(), len(targets))


@torch.inference_mode()
def predict_logits(
    network: nn.Module, batches: Iterable[Batch], prepare: Callable[[Tensor], Tensor], runtime: Runtime
) -> tuple[Tensor, EpochAverages]:
    """Return logits (N, K) in the order of rows, float32 on the CPU, and loss and accuracy of the labelled pictures.

    With several processes each has some of the batches, and all of them get all logits.
    """
    with evaluating(network):
        step = PredictionStep(ForwardPass(network, prepare, runtime), runtime.processes)
        averages = run_epoch(batches, step, runtime.processes)
        return step.collect(), averages


class FeaturesAndLogits(nn.Module):
    """A classifier that also gives what its head sees."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to pooled features and logits side by side (N, F + K)."""
        features = self.classifier.backbone(images)
        return torch.cat([features, self.classifier.forward_head(features)], dim=1)


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
    """Return what turns uint8 images (N, 3, S, S) into normalised ones on the device."""
    return lambda images: preprocess.normalize(runtime.move(images))


class Readable(NamedTuple):
    """What came of pictures of which some may be unreadable: the others and their answers, in order.

    `probabilities` are (N, K); `similarities` (N,), as of `Memory.measure_similarity`, are there if asked for.
    """

    table: ImageTable
    probabilities: npt.NDArray[np.float64]
    problems: tuple[ImageProblem, ...]
    similarities: npt.NDArray[np.float64] | None


class Predictor:
    """A trained classifier ready for use: pictures in, class names and probabilities out.

    Attributes:
        class_names: In the order of the probabilities.
        bundle: Weights, preprocessing and facts.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime, *, batch_size: int = 64) -> None:
        self.bundle = bundle
        self.class_names = bundle.class_names
        self.runtime = runtime
        self.batch_size = batch_size
        runtime.place(bundle.classifier)

    def predict(
        self,
        inputs: Sequence[Input] | Input,
        *,
        probabilities: bool = False,
        top_k: int = 1,
        max_error: float | None = None,
        set_coverage: float | None = None,
    ) -> pd.DataFrame:
        """Return one row a picture, in the order given, with the columns id, path, label and confidence.

        Args:
            inputs: A path, a PIL image, an array uint8 (H, W, 3) or (N, H, W, 3), or a sequence of these. A path may
                be a picture, a folder, a glob pattern, a CSV or an .npz file.
            probabilities: Add a column `probability_CLASS` for every class.
            top_k: Add the columns label_2, confidence_2 and so on.
            max_error: Answer "unknown" instead of being wrong in more than this share (0..1) of the answers, and where
                a picture is unlike those trained on; adds the columns guess, familiarity and reason.
            set_coverage: Add the column `labels`, a set of classes that holds the true one in this share (0..1) of all
                cases.

        Raises:
            DataError: A picture cannot be decoded, or a path leads to none.
            ConfigError: The validation pictures cannot promise what is asked for.
        """
        form = AnswerForm(probabilities, top_k, max_error, set_coverage)
        policy = build_policy(form, self.bundle)
        table = load_inputs(inputs)
        chances, similarities = self._answer(self._build_loader(table, collect_problems=False), policy.needs_similarity)
        return build_answers(table, chances, similarities, self.class_names, form, policy)

    def predict_inputs(self, inputs: Sequence[Input] | Input) -> npt.NDArray[np.float64]:
        """Return probabilities (N, K) for inputs as `predict` takes them.

        Raises:
            DataError: A picture cannot be decoded, or a path leads to none.
        """
        return self.predict_probabilities(load_inputs(inputs))

    def predict_probabilities(self, table: ImageTable) -> npt.NDArray[np.float64]:
        """Return probabilities (N, K) for the rows of a table, in their order.

        Raises:
            BadImageError: A picture cannot be decoded.
        """
        return self._compute_probabilities(self._build_loader(table, collect_problems=False))

    def predict_readable(self, table: ImageTable, *, similarity: bool = False) -> Readable:
        """Return the rows whose pictures can be decoded with their answers, and the problems of the others.

        Raises:
            BundleError: `similarity` is asked for, and the bundle has no memory.
        """
        loader = self._build_loader(table, collect_problems=True)
        probabilities, similarities = self._answer(loader, similarity)
        problems = sorted(problem for part in self.runtime.processes.gather(loader.problems()) for problem in part)
        readable = np.setdiff1d(np.arange(len(table)), [row for row, _ in problems])
        return Readable(table.take(readable), probabilities, tuple(problem for _, problem in problems), similarities)

    def predict_features(self, table: ImageTable) -> tuple[Tensor, npt.NDArray[np.float32]]:
        """Return logits (N, K) and pooled features (N, F) for the rows of a table, in their order.

        Raises:
            BadImageError: A picture cannot be decoded.
        """
        return self._compute_features(self._build_loader(table, collect_problems=False))

    def _build_loader(self, table: ImageTable, *, collect_problems: bool) -> EvaluationLoader:
        check_same_rows(table, self.runtime.processes)
        dataset = ImageDataset(table, self.bundle.preprocess, None, max_pixels=self.bundle.max_pixels)
        processes, device = self.runtime.processes, self.runtime.device.type
        return build_evaluation_loader(
            dataset,
            batch_size=self.batch_size,
            workers=choose_workers("auto", len(table), device, num_ranks=processes.local_count),
            collect_problems=collect_problems,
            pin_memory=device == "cuda",
            rank=processes.rank,
            num_ranks=processes.count,
        )

    def _answer(
        self, loader: EvaluationLoader, similarity: bool
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
        if not similarity:
            return self._compute_probabilities(loader), None
        if self.bundle.memory is None:
            raise BundleError(
                "the bundle remembers no training pictures, so it cannot tell what is unlike them; train again with "
                "training.memory above 0"
            )
        logits, features = self._compute_features(loader)
        probabilities = compute_probabilities(logits, self.bundle.calibration)
        return probabilities, self.bundle.memory.measure_similarity(features)

    def _compute_probabilities(self, loader: EvaluationLoader) -> npt.NDArray[np.float64]:
        return compute_probabilities(self._collect(self.bundle.classifier, loader), self.bundle.calibration)

    def _compute_features(self, loader: EvaluationLoader) -> tuple[Tensor, npt.NDArray[np.float32]]:
        outputs = self._collect(FeaturesAndLogits(self.bundle.classifier), loader)
        features, logits = outputs.tensor_split([self.bundle.classifier.backbone.num_features], dim=1)
        return logits, features.numpy()

    @torch.inference_mode()
    def _collect(self, network: nn.Module, loader: EvaluationLoader) -> Tensor:
        """Return what a network gives (N, C); labels, which may be of classes that it does not know, do not matter."""
        prepare = prepare_images(self.bundle.preprocess, self.runtime)
        with evaluating(network):
            step = CollectionStep(ForwardPass(network, prepare, self.runtime), self.runtime.processes)
            run_epoch(loader.batches(), step, self.runtime.processes)
        return step.collect()


def check_same_rows(table: ImageTable, processes: Processes) -> None:
    """Raise when the processes of a job, perhaps on several machines, have other pictures or another order.

    Raises:
        DataError: They have.
    """
    marks = processes.gather(hashlib.sha256("\0".join(table.frame["id"]).encode()).hexdigest())
    different = [rank for rank, mark in enumerate(marks) if mark != marks[0]]
    if different:
        raise DataError(
            f"{table.source}: the processes {different} have other pictures than process 0, or another order; every "
            "machine needs the same data under the same path"
        )


def compute_probabilities(logits: Tensor, calibration: Calibration) -> npt.NDArray[np.float64]:
    """Return the softmax (N, K) of calibrated logits (N, K), in double precision so that rows add up to 1."""
    return calibration.apply(logits.double()).softmax(dim=1).numpy()
