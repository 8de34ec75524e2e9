"""Images in, named answers out: the one prediction path of validation, test, predict and evaluate."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from discern.bundle import Bundle
from discern.data.dataset import ImageDataset
from discern.data.inputs import Input, load_inputs
from discern.data.loaders import Batch, EvaluationLoader, build_evaluation_loader, choose_workers
from discern.data.preprocess import Preprocess
from discern.data.table import ImageTable
from discern.errors import ImageProblem
from discern.loop import EpochAverages, StepResult, run_epoch
from discern.models.folding import fold_batchnorm
from discern.runtime import Runtime


class Outputs(NamedTuple):
    """What a network gives for pictures: their rows (N,), in order, and values float32 (N, ...) on the CPU."""

    rows: Tensor
    values: Tensor


class PredictionStep:
    """Forward pass of one batch; keeps what the network gives.

    Args:
        network: Gives logits (N, K) or, where no batch has labels, anything.
        prepare: Turns the images of a batch into what the network takes, on its device.
        runtime: Where and how it is computed.
    """

    def __init__(self, network: nn.Module, prepare: Callable[[Tensor], Tensor], runtime: Runtime) -> None:
        self.network = network
        self.prepare = prepare
        self.runtime = runtime
        self._rows: list[Tensor] = []
        self._values: list[Tensor] = []

    def __call__(self, batch: Batch) -> StepResult:
        """Keep the logits; pictures without a label (target -1) count in neither loss nor accuracy."""
        inputs = self.prepare(batch.images)
        with self.runtime.autocast():
            logits = self.network(inputs)
        logits = logits.float()
        self._rows.append(batch.rows)
        self._values.append(logits)
        labelled = torch.nonzero(batch.targets >= 0)[:, 0]
        targets = batch.targets[labelled].to(logits.device, non_blocking=True)
        logits = logits[labelled.to(logits.device, non_blocking=True)]
        loss_sum = functional.cross_entropy(logits, targets, reduction="sum")
        return StepResult(loss_sum, (logits.argmax(dim=1) == targets).sum(), len(targets))

    def finish(self) -> None:
        """Nothing is left open between batches."""

    def collect(self) -> Outputs:
        """Return the outputs of all batches so far, those of other processes included, in the order of rows."""
        own = [Outputs(torch.cat(self._rows), torch.cat(self._values).cpu())] if self._rows else []
        parts = [part for parts in self.runtime.processes.gather(own) for part in parts]
        if not parts:
            return Outputs(torch.empty(0, dtype=torch.int64), torch.empty(0, 0))
        rows, values = (torch.cat(column) for column in zip(*parts, strict=True))
        order = rows.argsort()
        return Outputs(rows[order], values[order])


@torch.inference_mode()
def predict_logits(
    network: nn.Module, batches: Iterable[Batch], prepare: Callable[[Tensor], Tensor], runtime: Runtime
) -> tuple[Tensor, EpochAverages]:
    """Return the logits (N, K) in the order of rows, and loss and accuracy over the labelled pictures.

    With several processes each has some of the batches, and all of them get all logits. The network is in evaluation
    mode meanwhile, and in its earlier mode afterwards.
    """
    was_training = network.training
    network.eval()
    try:
        step = PredictionStep(fold_batchnorm(network), prepare, runtime)
        averages = run_epoch(batches, step, runtime.processes)
        return step.collect().values, averages
    finally:
        network.train(was_training)


def prepare_images(preprocess: Preprocess, runtime: Runtime) -> Callable[[Tensor], Tensor]:
    """Return what turns uint8 images (N, 3, S, S) into normalised ones on the device."""
    return lambda images: preprocess.normalize(runtime.move(images))


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

    def predict(self, inputs: Sequence[Input] | Input, *, probabilities: bool = False, top_k: int = 1) -> pd.DataFrame:
        """Return one row a picture, in the order given, with the columns id, path, label and confidence.

        Args:
            inputs: A path, a PIL image, an array uint8 (H, W, 3) or (N, H, W, 3), or a sequence of these. A path may
                be a picture, a folder, a glob pattern, a CSV or an .npz file.
            probabilities: Add a column `probability_CLASS` for every class.
            top_k: Add the columns label_2, confidence_2 and so on.

        Raises:
            DataError: A picture cannot be decoded, or a path leads to none.
        """
        table = load_inputs(inputs)
        return build_answers(table, self.predict_probabilities(table), self.class_names, probabilities, top_k)

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
        return self._compute(self._build_loader(table, collect_problems=False))

    def predict_readable(
        self, table: ImageTable
    ) -> tuple[ImageTable, npt.NDArray[np.float64], tuple[ImageProblem, ...]]:
        """Return the rows whose pictures can be decoded, their probabilities (N, K), and the problems of the others."""
        loader = self._build_loader(table, collect_problems=True)
        probabilities = self._compute(loader)
        problems = sorted(problem for part in self.runtime.processes.gather(loader.problems()) for problem in part)
        readable = np.setdiff1d(np.arange(len(table)), [row for row, _ in problems])
        return table.take(readable), probabilities, tuple(problem for _, problem in problems)

    def _build_loader(self, table: ImageTable, *, collect_problems: bool) -> EvaluationLoader:
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

    def _compute(self, loader: EvaluationLoader) -> npt.NDArray[np.float64]:
        prepare = prepare_images(self.bundle.preprocess, self.runtime)
        logits, _ = predict_logits(self.bundle.classifier, loader.batches(), prepare, self.runtime)
        return compute_probabilities(logits)


def compute_probabilities(logits: Tensor) -> npt.NDArray[np.float64]:
    """Return the softmax (N, K) of logits (N, K), in double precision so that rows add up to 1."""
    return logits.double().softmax(dim=1).numpy()


def build_answers(
    table: ImageTable,
    probabilities: npt.NDArray[np.float64],
    class_names: Sequence[str],
    with_probabilities: bool,
    top_k: int,
) -> pd.DataFrame:
    """Return the answers for the rows of a table as people and other programs read them."""
    names = np.array(class_names, dtype=object)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, top_k)]
    columns: dict[str, object] = {"id": table.frame["id"], "path": table.frame["path"]}
    for place in range(order.shape[1]):
        suffix = f"_{place + 1}" if place else ""
        columns[f"label{suffix}"] = names[order[:, place]]
        columns[f"confidence{suffix}"] = np.take_along_axis(probabilities, order[:, [place]], axis=1)[:, 0]
    if with_probabilities:
        columns |= {f"probability_{name}": probabilities[:, index] for index, name in enumerate(class_names)}
    return pd.DataFrame(columns)
