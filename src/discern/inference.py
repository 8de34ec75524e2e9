"""Images in, named answers out: the one prediction path of validation, test, predict and evaluate."""

from collections.abc import Iterable, Sequence

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
from discern.runtime import Runtime


class PredictionStep:
    """Forward pass of one batch; keeps the logits in the order in which the pictures came."""

    def __init__(self, classifier: nn.Module, preprocess: Preprocess, runtime: Runtime) -> None:
        self.classifier = classifier
        self.preprocess = preprocess
        self.runtime = runtime
        self._logits: list[Tensor] = []

    def __call__(self, batch: Batch) -> StepResult:
        """Keep the logits; pictures without a label (target -1) count in neither loss nor accuracy."""
        images = self.preprocess.normalize(self.runtime.move_images(batch.images))
        with self.runtime.autocast():
            logits = self.classifier(images)
        logits = logits.float().cpu()
        self._logits.append(logits)
        labelled = batch.targets >= 0
        if not labelled.any():
            return StepResult(0.0, 0, 0)
        logits, targets = logits[labelled], batch.targets[labelled]
        loss_sum = functional.cross_entropy(logits, targets, reduction="sum").item()
        return StepResult(loss_sum, int((logits.argmax(dim=1) == targets).sum()), len(targets))

    def finish(self) -> None:
        """Nothing is left open between batches."""

    def collect_logits(self) -> Tensor:
        """Return the logits (N, K) of all batches so far, float32 on the CPU."""
        return torch.cat(self._logits) if self._logits else torch.empty(0, 0)


@torch.inference_mode()
def predict_logits(
    classifier: nn.Module, batches: Iterable[Batch], preprocess: Preprocess, runtime: Runtime
) -> tuple[Tensor, EpochAverages]:
    """Return the logits (N, K) in the order of the batches, and loss and accuracy over the labelled pictures.

    The classifier is in evaluation mode meanwhile, and in its earlier mode afterwards.
    """
    was_training = classifier.training
    classifier.eval()
    try:
        step = PredictionStep(classifier, preprocess, runtime)
        averages = run_epoch(batches, step)
        return step.collect_logits(), averages
    finally:
        classifier.train(was_training)


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
        problems = loader.problems()
        readable = np.setdiff1d(np.arange(len(table)), [row for row, _ in problems])
        return table.take(readable), probabilities, tuple(problem for _, problem in problems)

    def _build_loader(self, table: ImageTable, *, collect_problems: bool) -> EvaluationLoader:
        dataset = ImageDataset(table, self.bundle.preprocess, None, max_pixels=self.bundle.max_pixels)
        workers = choose_workers("auto", len(table), self.runtime.device.type)
        return build_evaluation_loader(
            dataset, batch_size=self.batch_size, workers=workers, collect_problems=collect_problems
        )

    def _compute(self, loader: EvaluationLoader) -> npt.NDArray[np.float64]:
        logits, _ = predict_logits(self.bundle.classifier, loader.batches(), self.bundle.preprocess, self.runtime)
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
