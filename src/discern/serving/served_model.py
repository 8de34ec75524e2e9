"""A classifier that is being served: what it knows, and the queue before it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from discern.engine.forward import FeaturesAndLogits, ForwardPass, prepare_images
from discern.predictor.answers import AnswerForm, AnswerPolicy, build_policy
from discern.predictor.calibration import compute_probabilities
from discern.predictor.feature_bank import FeatureBank
from discern.predictor.predictor import Predictor
from discern.serving.batching import Batcher
from discern.serving.limits import Limits

LoadPredictor = Callable[[Path], Predictor]


class Output(NamedTuple):
    """What the network makes of a picture: calibrated probabilities (K,) and pooled features (F,)."""

    probabilities: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]


class Engine:
    """The forward pass of a classifier, prepared once, for pictures that are decoded already.

    It computes once at the end, so that the first picture does not wait for what is made at first use. While one is
    made no network may compute in another thread: folding traces the network, which torch does by changing all of them.
    """

    def __init__(self, predictor: Predictor) -> None:
        bundle, runtime = predictor.bundle, predictor.runtime
        self.predictor = predictor
        network = FeaturesAndLogits(bundle.classifier).eval()
        self._forward = ForwardPass(network, prepare_images(bundle.preprocess, runtime), runtime)
        self._num_features = bundle.classifier.backbone.num_features
        side = bundle.preprocess.image_size
        self.compute([torch.zeros(3, side, side, dtype=torch.uint8)])

    def compute(self, images: Sequence[Tensor]) -> list[Output]:
        """Return the outputs of uint8 images (3, S, S), in their order."""
        with torch.inference_mode():
            outputs = self._forward(torch.stack(list(images))).float().cpu()
        features, logits = outputs.tensor_split([self._num_features], dim=1)
        probabilities = compute_probabilities(logits, self.predictor.bundle.calibration)
        return [Output(*row) for row in zip(probabilities, features.numpy(), strict=True)]


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One classifier by name, with its queue; `feature_bank` is kept at the precision that it is compared in."""

    name: str
    engine: Engine
    batcher: Batcher[Output]
    feature_bank: FeatureBank | None

    @property
    def predictor(self) -> Predictor:
        """The classifier itself."""
        return self.engine.predictor

    def build_policy(self, max_error: float | None) -> AnswerPolicy:
        """Draw the line below which a picture is unknown.

        Raises:
            DiscernError: The bundle cannot promise it.
        """
        return _build_policy(self, max_error)


@functools.lru_cache(maxsize=64)
def _build_policy(model: ServedModel, max_error: float | None) -> AnswerPolicy:
    return build_policy(AnswerForm(max_error=max_error), model.predictor.bundle)


def open_model(
    name: str, engine: Engine, thread: Executor, limits: Limits, tell_size: Callable[[int], None]
) -> ServedModel:
    """Put a queue before a classifier; called in the event loop."""
    bank = engine.predictor.bundle.feature_bank
    if bank is not None:
        bank = replace(bank, features=bank.features.astype(np.float32))
    return ServedModel(name, engine, Batcher(engine.compute, thread, limits, tell_size), bank)


Folders = Mapping[str, Path]
"""Run folders or bundles, by the names that they are served under."""
