"""The baseline that later phases have to beat, and whether they still can."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.evaluation.comparison import compute_mcnemar
from discern.evaluation.intervals import Interval
from discern.evaluation.seed_comparison import estimate_mean
from discern.training.history import EpochRow

_SIGNIFICANCE = 0.05


class Floor(NamedTuple):
    """The baseline of a head on the frozen backbone: its best epoch and validation logits (V, K)."""

    row: EpochRow
    logits: Tensor

    def count_errors(self, targets: npt.NDArray[np.int64]) -> int:
        """Return on how many of the validation pictures, with targets (V,), it is wrong."""
        return int((self._predict(self.logits) != targets).sum())

    def leaves_gain(self, targets: npt.NDArray[np.int64]) -> bool:
        """Return whether the validation pictures could show that another model is better.

        The best one imaginable is right on all of them; McNemar's exact test compares it with the baseline.
        """
        return compute_mcnemar(0, self.count_errors(targets)) < _SIGNIFICANCE

    def compare(self, logits: Tensor, targets: npt.NDArray[np.int64]) -> Interval:
        """Return how much more accurate other logits (V, K) are, with the paired interval."""
        is_correct, was_correct = self._predict(logits) == targets, self._predict(self.logits) == targets
        return estimate_mean((is_correct.astype(np.float64) - was_correct)[None])

    @staticmethod
    def _predict(logits: Tensor) -> npt.NDArray[np.int64]:
        predicted: npt.NDArray[np.int64] = logits.argmax(dim=1).numpy()
        return predicted
