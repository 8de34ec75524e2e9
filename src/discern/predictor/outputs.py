"""What the network of a bundle gives for batches of pictures, and what is kept of it."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from discern.data.reading.loaders import Batch
from discern.engine.forward import CollectionStep, FeaturesAndLogits, ForwardPass, evaluating, prepare_images
from discern.engine.loop import run_epoch
from discern.engine.views import average_views
from discern.errors import BundleError
from discern.predictor.bundle import Bundle
from discern.predictor.feature_bank import measure_similarity
from discern.runtime import Precision, Runtime


class Outputs(NamedTuple):
    """Pooled features (N, F) and logits (N, K) before calibration, float32 on the CPU."""

    features: Tensor
    logits: Tensor


class Kept(Enum):
    """What is kept of each picture: the logits (K), with the similarity to the training pictures or the features."""

    LOGITS = auto()
    SIMILARITY = auto()
    FEATURES = auto()


class NetworkOutputs:
    """Computes features and logits in the precision of the runtime or, where exactness is asked for, in fp32.

    The network is prepared for each of the two when it is first wanted, and kept.
    """

    def __init__(self, bundle: Bundle, runtime: Runtime) -> None:
        self.bundle = bundle
        self.runtime = runtime
        self._prepared: dict[Precision, ForwardPass] = {}

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy is made of; the prepared network, whose weights have a form of this processor, is not."""
        return {**vars(self), "_prepared": {}}

    def with_bundle(self, bundle: Bundle) -> Self:
        """Return the same for a bundle that differs in how answers are made of the network, which is shared."""
        other = copy.copy(self)
        other._prepared = self._prepared
        other.bundle = bundle
        return other

    def collect(
        self,
        batches: Iterable[Batch],
        kept: Kept,
        *,
        exact: bool = False,
        advance: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Return what is kept (N, C) of the outputs for all pictures of these batches; labels do not matter."""
        forward = self.exact_forward if exact else self.forward

        def compute(images: Tensor) -> Tensor:
            outputs = self._keep(self._average(forward, images), kept)
            if advance is not None:
                advance(len(images))
            return outputs

        with torch.inference_mode():
            with evaluating(self.bundle.classifier):
                step = CollectionStep(compute, self.runtime.processes)
                run_epoch(batches, step, self.runtime.processes)
            outputs = step.collect()
            return outputs if len(outputs) else outputs.new_empty(0, self._count_kept(kept))

    def compute(self, images: Tensor, *, exact: bool = False) -> Tensor:
        """Return features and logits side by side (N, F + K), float32 on the CPU, of images as preprocessing gives."""
        with evaluating(self.bundle.classifier):
            return self._average(self.exact_forward if exact else self.forward, images).float().cpu()

    def split(self, outputs: Tensor) -> Outputs:
        """Return features and logits of outputs in which they are side by side."""
        return Outputs(*outputs.tensor_split([self.bundle.classifier.backbone.num_last_features], dim=1))

    @property
    def forward(self) -> ForwardPass:
        """The prepared network, which gives features and logits side by side."""
        return self._prepare(self.runtime.precision)

    @property
    def exact_forward(self) -> ForwardPass:
        """The same in fp32."""
        return self._prepare("fp32")

    def _prepare(self, precision: Precision) -> ForwardPass:
        """Return the network for a precision, prepared when it is first wanted."""
        if precision not in self._prepared:
            runtime = replace(self.runtime, precision=precision)
            prepare = prepare_images(self.bundle.preprocess, runtime)
            with evaluating(self.bundle.classifier):
                self._prepared[precision] = ForwardPass(FeaturesAndLogits(self.bundle.classifier), prepare, runtime)
        return self._prepared[precision]

    def _average(self, forward: ForwardPass, images: Tensor) -> Tensor:
        """Return features, and logits that are means over the views, side by side (N, F + K)."""
        num_features = self.bundle.classifier.backbone.num_last_features
        return average_views(forward, images, self.bundle.tta, num_features=num_features)

    def _keep(self, outputs: Tensor, kept: Kept) -> Tensor:
        """Return what is kept of a batch; the features of many pictures would take far more memory than the rest."""
        if kept is Kept.FEATURES:
            return outputs
        features, logits = self.split(outputs)
        if kept is Kept.LOGITS:
            return logits.contiguous()
        return torch.cat([measure_similarity(features.float(), self._bank)[:, None], logits.float()], dim=1)

    def _count_kept(self, kept: Kept) -> int:
        """Return how many numbers are kept of a picture."""
        beside_logits = {
            Kept.LOGITS: 0,
            Kept.SIMILARITY: 1,
            Kept.FEATURES: self.bundle.classifier.backbone.num_last_features,
        }
        return beside_logits[kept] + len(self.bundle.class_names)

    @cached_property
    def _bank(self) -> Tensor:
        """The features of training pictures (M, F), where the network computes."""
        if self.bundle.feature_bank is None:
            raise BundleError(
                "the bundle has no feature bank, so pictures unlike the training pictures cannot be recognised; train "
                "again with training.feature_bank above 0"
            )
        return torch.from_numpy(self.bundle.feature_bank.features).float().to(self.runtime.device)
