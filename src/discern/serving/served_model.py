"""A classifier that is being served: the classifier itself, and the queue in front of it."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from discern.predictor.answers import AnswerForm, AnswerPolicy, build_policy
from discern.predictor.calibration import compute_probabilities
from discern.predictor.feature_bank import FeatureBank
from discern.predictor.predictor import Predictor
from discern.serving.batching import Batcher
from discern.serving.limits import Limits

Folders = Mapping[str, Path]
"""Run folders or bundles, by the names under which they are served."""

LoadPredictor = Callable[[Path], Predictor]

_MAX_KEPT_POLICIES = 64


class Output(NamedTuple):
    """Calibrated probabilities (K,) and pooled features (F,) of one picture."""

    probabilities: npt.NDArray[np.float64]
    features: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ServedModel:
    """One classifier by name, with its queue; `feature_bank` is in float32, in which it is compared."""

    name: str
    predictor: Predictor
    batcher: Batcher[Output]
    feature_bank: FeatureBank | None
    # Kept here and not in a cache of the module, which would keep the network alive after a reload.
    _policies: dict[float | None, AnswerPolicy] = field(default_factory=dict)

    def build_policy(self, max_error: float | None) -> AnswerPolicy:
        """Return the limits below which a picture is "unknown"; those asked for before are not computed again.

        Raises:
            DiscernError: The validation pictures cannot support this share of wrong answers.
        """
        policy = self._policies.get(max_error)
        if policy is None:
            policy = build_policy(AnswerForm(max_error=max_error), self.predictor.bundle)
            if len(self._policies) < _MAX_KEPT_POLICIES:
                self._policies[max_error] = policy
        return policy


def warm_up(predictor: Predictor) -> Predictor:
    """Compute once, so that the first picture does not wait for what is prepared at first use, and return it.

    Meanwhile no network may compute in another thread: preparing traces the network, for which torch changes all of
    them for a moment.
    """
    side = predictor.bundle.preprocess.image_size
    compute_batch(predictor, [torch.zeros(3, side, side, dtype=torch.uint8)])
    return predictor


def compute_batch(predictor: Predictor, images: Sequence[Tensor]) -> list[Output]:
    """Return the outputs of uint8 images (3, S, S), in their order."""
    features, logits = predictor.compute_outputs(torch.stack(list(images)))
    probabilities = compute_probabilities(logits, predictor.bundle.calibration)
    return [Output(*row) for row in zip(probabilities, features.numpy(), strict=True)]


def open_model(
    name: str, predictor: Predictor, thread: Executor, limits: Limits, observe_size: Callable[[int], None]
) -> ServedModel:
    """Put a queue in front of a classifier; called in the event loop."""
    bank = predictor.bundle.feature_bank
    if bank is not None:
        bank = replace(bank, features=bank.features.astype(np.float32))
    batcher = Batcher(lambda images: compute_batch(predictor, images), thread, limits, observe_size)
    return ServedModel(name, predictor, batcher, bank)
