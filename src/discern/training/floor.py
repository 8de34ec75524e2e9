"""The baseline that later phases have to beat, and whether they still can."""

import logging
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from discern.counts import count_of
from discern.evaluation.comparison import compute_mcnemar
from discern.evaluation.intervals import Interval
from discern.evaluation.seed_comparison import describe_difference, estimate_mean
from discern.planning.plan import PhasePlan
from discern.training.history import EpochRow

logger = logging.getLogger("discern")

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

    def ends_training(self, targets: npt.NDArray[np.int64]) -> bool:
        """Return whether it leaves nothing to gain, and say so in the log."""
        if self.leaves_gain(targets):
            return False
        logger.info(
            "training ends here: phase %s is wrong on %d of %s; if all of them were corrected, the gain could still be "
            "chance. With training.must_gain=false the other phases are trained, too",
            self.row.phase,
            self.count_errors(targets),
            count_of(len(targets), "validation picture"),
        )
        return True

    def ends_phase(self, phase: PhasePlan, epochs_done: int, logits: Tensor, targets: npt.NDArray[np.int64]) -> bool:
        """Return whether a phase, with logits (V, K) after its last epoch, is clearly worse, and say so in the log."""
        difference = self.compare(logits, targets)
        if difference.high >= 0:
            return False
        logger.info(
            "phase %s ends after %d of %d epochs, since it will not reach phase %s any more: %s",
            phase.name,
            epochs_done,
            phase.epochs,
            self.row.phase,
            describe_difference(phase.name, self.row.phase, difference),
        )
        return True

    @staticmethod
    def _predict(logits: Tensor) -> npt.NDArray[np.int64]:
        predicted: npt.NDArray[np.int64] = logits.argmax(dim=1).numpy()
        return predicted
