"""A trained classifier ready for use: pictures in, named answers out."""

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from discern.counts import count_of
from discern.data.reading.dataset import ImageDataset
from discern.data.reading.loaders import Batch, EvaluationLoader, build_evaluation_loader, choose_workers
from discern.data.sources.inputs import Input, load_inputs
from discern.data.sources.load import Source, load_table
from discern.data.table import ImageTable
from discern.engine.forward import check_same_rows
from discern.engine.second_look import find_inexact, find_unclear
from discern.errors import BadImagesError, ConfigError, ImageProblem
from discern.evaluation.custom_metrics import MetricFunction
from discern.evaluation.evaluated_pictures import choose_evaluated_split, join_labels
from discern.evaluation.metrics import Metrics, compute_metrics
from discern.notebook import build_html_facts
from discern.predictor.answers import AnswerForm, build_answers, build_policy, knows_own_ids
from discern.predictor.bundle import Bundle
from discern.predictor.calibration import compute_probabilities
from discern.predictor.outputs import Kept, NetworkOutputs, Outputs
from discern.predictor.summary import summarize_predictor
from discern.predictor.tta import use_tta
from discern.runtime import Runtime

logger = logging.getLogger("discern")

_SHOWN_CLASSES = 5


class Readable(NamedTuple):
    """The rows of a table whose pictures can be read, their predictions in the same order, and the other pictures.

    `probabilities` are (N, K); `similarities` (N,), as `FeatureBank.measure_similarity` gives them, are None unless
    asked for.
    """

    table: ImageTable
    probabilities: npt.NDArray[np.float64]
    problems: tuple[ImageProblem, ...]
    similarities: npt.NDArray[np.float64] | None


class Predictor:
    """A trained classifier ready for use: pictures in, class names and probabilities out.

    The network is prepared for inference at the first prediction and kept: weights that are changed later are not seen.

    Attributes:
        class_names: In the order of the probabilities.
        bundle: The network, its preprocessing, and what is known of it.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime, *, batch_size: int = 64) -> None:
        self.bundle = bundle
        self.class_names = bundle.class_names
        self.runtime = runtime
        self.batch_size = batch_size
        self._outputs = NetworkOutputs(bundle, runtime)
        runtime.place(bundle.classifier)

    def __repr__(self) -> str:
        shown = ", ".join(self.class_names[:_SHOWN_CLASSES]) + ", ..." * (len(self.class_names) > _SHOWN_CLASSES)
        backbone = self.bundle.classifier.backbone.name
        return f"<Predictor: {backbone}, {len(self.class_names)} classes ({shown}), {self.runtime.device}>"

    def _repr_html_(self) -> str:
        return build_html_facts(summarize_predictor(self.bundle, self.runtime))

    def predict(
        self,
        inputs: Sequence[Input] | Input,
        *,
        probabilities: bool = False,
        top_k: int = 1,
        max_error: float | None = None,
        set_coverage: float | None = None,
        tta: str | None = None,
    ) -> pd.DataFrame:
        """Return one row per picture, in the order given, with the columns id, path, label, confidence and familiarity.

        Familiarity (0..1) says how like the training pictures a picture is: of new pictures of the same kind, at most a
        share p has p or less. `unfamiliar` is True at its limit, where the label means little. Both are missing where
        the bundle has no feature bank or no validation pictures to compare with.

        Args:
            inputs: A path, a PIL image, an array uint8 (H, W, 3) or (N, H, W, 3), or a sequence of these. A path may
                be a picture, a folder, an archive, a glob pattern, a table or an .npz file.
            probabilities: Add a column `probability_CLASS` for every class.
            top_k: Add the columns label_2, confidence_2 and so on.
            max_error: Largest share (0..1) of wrong answers: answer "unknown" where the classifier is not sure enough
                for it, and where a picture is unlike those trained on; adds the columns guess and reason.
            set_coverage: Add the column `labels`, a set of classes that contains the true one in this share (0..1) of
                all cases.
            tta: Test-time augmentation: "none", or the mean over the views of "flip" or "five"; by default as trained.

        Raises:
            DataError: A picture cannot be decoded, or a path leads to none.
            ConfigError: The validation set is too small, or the classifier too weak, for what is asked.
        """
        form = AnswerForm(probabilities, top_k, max_error, set_coverage)
        policy = build_policy(form, self.bundle)
        table = load_inputs(inputs, depth_range=self.bundle.preprocess.depth_range)
        found, similarities = self.with_tta(tta).answer(table, similarity=policy.knows_familiarity)
        return build_answers(
            table, found, similarities, self.class_names, form, policy, with_own_ids=knows_own_ids(table)
        )

    def evaluate(
        self,
        source: Source,
        *,
        split: str | None = None,
        on_bad: str = "error",
        metrics: Mapping[str, MetricFunction] | None = None,
        tta: str | None = None,
    ) -> Metrics:
        """Return the metrics of labelled pictures; nothing is written.

        Args:
            source: Labelled pictures in any form that training takes; their classes are joined with ours by name.
            split: Which split of a source that has some; by default test, or else validation.
            on_bad: What to do about pictures that cannot be read: "error" stops and lists them, "skip" leaves them out.
            metrics: Your own, by name: functions from targets (N,) and probabilities (N, K) to a number.
            tta: As for `predict`.

        Raises:
            DataError: There are no such pictures, pictures without a label, or classes that the classifier does not
                know.
            BadImagesError: Pictures cannot be read and `on_bad` is "error", or none can.
        """
        if on_bad not in ("error", "skip"):
            raise ConfigError(f"on_bad is {on_bad!r}; expected error or skip")
        _, pictures = choose_evaluated_split(load_table(source), split)
        pictures = join_labels(pictures, self.class_names)
        found = self.with_tta(tta).predict_readable(pictures)
        if found.problems and (on_bad == "error" or not len(found.table)):
            raise BadImagesError(
                found.problems, next_step=('Repair or remove them, or leave them out by on_bad="skip".',)
            )
        if found.problems:
            left_out = f"{len(found.problems)} of {count_of(len(pictures), 'picture')}"
            logger.warning("left out %s that cannot be read", left_out)
        return compute_metrics(found.table.targets(), found.probabilities, self.class_names, custom=metrics)

    def with_tta(self, tta: str | None) -> Self:
        """Return the same predictor with other test-time augmentation, or as it is for None; networks are shared.

        Raises:
            ConfigError: There is no such augmentation.
        """
        if tta is None:
            return self
        other = copy.copy(self)
        other.bundle = use_tta(self.bundle, tta)
        other._outputs = self._outputs.with_bundle(other.bundle)
        return other

    def embed(self, inputs: Sequence[Input] | Input) -> npt.NDArray[np.float32]:
        """Return the pooled features (N, F) of the backbone for inputs as `predict` takes them.

        Raises:
            DataError: A picture cannot be decoded, or a path leads to none.
        """
        return self.predict_features(load_inputs(inputs, depth_range=self.bundle.preprocess.depth_range))[1]

    def predict_inputs(self, inputs: Sequence[Input] | Input) -> npt.NDArray[np.float64]:
        """Return probabilities (N, K) for inputs as `predict` takes them.

        Raises:
            DataError: A picture cannot be decoded, or a path leads to none.
        """
        return self.predict_probabilities(load_inputs(inputs, depth_range=self.bundle.preprocess.depth_range))

    def predict_probabilities(self, table: ImageTable) -> npt.NDArray[np.float64]:
        """Return probabilities (N, K) for the rows of a table, in their order.

        Raises:
            BadImageError: A picture cannot be decoded.
        """
        return self.answer(table, similarity=False)[0]

    def answer(
        self, table: ImageTable, *, similarity: bool
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
        """Return probabilities (N, K) and, if asked for, similarities (N,) to the training pictures, in one pass.

        Raises:
            BadImageError: A picture cannot be decoded.
            BundleError: `similarity` is asked for, and the bundle has no feature bank.
        """
        kept = Kept.SIMILARITY if similarity else Kept.LOGITS
        return self._conclude(self._compute(table, kept), similarity=similarity)

    def predict_readable(
        self, table: ImageTable, *, similarity: bool = False, advance: Callable[[int], None] | None = None
    ) -> Readable:
        """Return the rows whose pictures can be decoded with their predictions, and the problems of the others.

        `advance` is called with the number of pictures after each batch.

        Raises:
            BundleError: `similarity` is asked for, and the bundle has no feature bank.
        """
        whole = max(1, -(-len(table) // self.batch_size)) * self.batch_size
        (readable,) = self.predict_parts(table, whole, similarity=similarity, advance=advance)
        return readable

    def predict_parts(
        self,
        table: ImageTable,
        part_rows: int,
        *,
        similarity: bool = False,
        advance: Callable[[int], None] | None = None,
    ) -> Iterator[Readable]:
        """Yield what `predict_readable` gives, for so many rows of the table at a time, while the next ones are read.

        `part_rows` is a multiple of `batch_size`; of an empty table there is one part.

        Raises:
            BundleError: `similarity` is asked for, and the bundle has no feature bank.
        """
        loader = self._build_loader(table, collect_problems=True)
        kept = Kept.SIMILARITY if similarity else Kept.LOGITS
        starts = range(0, max(1, len(table)), part_rows)
        for start, batches in zip(starts, _cut_in_parts(loader.batches(), part_rows, len(starts)), strict=True):
            outputs = self._outputs.collect(batches, kept, advance=advance)
            end = min(start + part_rows, len(table))
            own = [(row, problem) for row, problem in loader.problems() if start <= row < end]
            problems = sorted(problem for part in self.runtime.processes.gather(own) for problem in part)
            readable = table.take(np.setdiff1d(np.arange(start, end), [row for row, _ in problems]))
            outputs = self._look_again(readable, outputs, kept)
            probabilities, similarities = self._conclude(outputs, similarity=similarity)
            yield Readable(readable, probabilities, tuple(problem for _, problem in problems), similarities)

    def predict_features(self, table: ImageTable) -> tuple[Tensor, npt.NDArray[np.float32]]:
        """Return logits (N, K) and pooled features (N, F) for the rows of a table, in their order.

        Raises:
            BadImageError: A picture cannot be decoded.
        """
        features, logits = self._outputs.split(self._compute(table, Kept.FEATURES))
        return logits, features.numpy()

    @torch.inference_mode()
    def compute_outputs(self, images: Tensor) -> Outputs:
        """Return features and logits of uint8 images (N, 3, S, S), as the bundle's preprocessing gives them."""
        outputs = self._outputs.compute(images)
        unclear = find_unclear(self._conclude(outputs, similarity=False)[0])
        if len(unclear) and self.runtime.precision != "fp32":
            outputs[unclear] = self._outputs.compute(images[unclear], exact=True)
        return self._outputs.split(outputs)

    def _build_dataset(self, table: ImageTable, *, decodes_whole: bool = False) -> ImageDataset:
        preprocess, max_pixels = self.bundle.preprocess, self.bundle.max_pixels
        return ImageDataset(table, preprocess, max_pixels=max_pixels, decodes_whole=decodes_whole)

    def _build_loader(
        self, table: ImageTable, *, collect_problems: bool = False, decodes_whole: bool = False
    ) -> EvaluationLoader:
        check_same_rows(table, self.runtime.processes)
        dataset = self._build_dataset(table, decodes_whole=decodes_whole)
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

    def _conclude(
        self, outputs: Tensor, *, similarity: bool
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
        """Return probabilities (N, K) and, if they were kept, similarities (N,) to the training pictures."""
        probabilities = compute_probabilities(
            outputs[:, -len(self.class_names) :].contiguous(), self.bundle.calibration
        )
        return probabilities, outputs[:, 0].double().numpy() if similarity else None

    def _compute(self, table: ImageTable, kept: Kept) -> Tensor:
        outputs = self._outputs.collect(self._build_loader(table).batches(), kept)
        return self._look_again(table, outputs, kept)

    @torch.inference_mode()
    def _look_again(self, table: ImageTable, outputs: Tensor, kept: Kept) -> Tensor:
        """Return outputs in which pictures whose answer is not clear are decoded whole and computed in fp32."""
        unclear = find_unclear(self._conclude(outputs, similarity=False)[0])
        # A dataset copies all paths, which is not worth it where every answer is clear.
        rows = find_inexact(unclear, self._build_dataset(table), self.runtime) if len(unclear) else unclear
        if len(rows):
            loader = self._build_loader(table.take(rows), decodes_whole=True)
            outputs[rows] = self._outputs.collect(loader.batches(), kept, exact=True)
        return outputs


def _cut_in_parts(batches: Iterator[Batch], part_rows: int, num_parts: int) -> Iterator[Iterator[Batch]]:
    """Yield the batches of each part, to be used up one part after the other; a part may have none that can be read."""
    groups = groupby(batches, key=lambda batch: int(batch.rows[0]) // part_rows)
    number, group = next(groups, (num_parts, iter(())))
    for part in range(num_parts):
        if number == part:
            yield group
            number, group = next(groups, (num_parts, iter(())))
        else:
            yield iter(())
