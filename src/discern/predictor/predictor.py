"""A trained classifier ready for use: pictures in, named answers out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import EvaluationLoader, build_evaluation_loader, choose_workers
from discern.data.sources.inputs import Input, load_inputs
from discern.data.table import ImageTable
from discern.engine.forward import (
    CollectionStep,
    FeaturesAndLogits,
    ForwardPass,
    check_same_rows,
    evaluating,
    prepare_images,
)
from discern.engine.loop import run_epoch
from discern.errors import BundleError, ImageProblem
from discern.predictor.answers import AnswerForm, build_answers, build_policy
from discern.predictor.bundle import Bundle, Calibration
from discern.runtime import Runtime


class Readable(NamedTuple):
    """What came of pictures of which some may be unreadable: the others and their answers, in order.

    `probabilities` are (N, K); `similarities` (N,), as of `FeatureBank.measure_similarity`, are there if asked for.
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
        if self.bundle.feature_bank is None:
            raise BundleError(
                "the bundle remembers no training pictures, so it cannot tell what is unlike them; train again with "
                "training.feature_bank above 0"
            )
        logits, features = self._compute_features(loader)
        probabilities = compute_probabilities(logits, self.bundle.calibration)
        return probabilities, self.bundle.feature_bank.measure_similarity(features)

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


def compute_probabilities(logits: Tensor, calibration: Calibration) -> npt.NDArray[np.float64]:
    """Return the softmax (N, K) of calibrated logits (N, K), in double precision so that rows add up to 1."""
    return calibration.apply(logits.double()).softmax(dim=1).numpy()
