"""The baseline that later phases have to beat, and whether they still can."""

import logging
import math
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
_FEW_ERRORS = 0.05
"""Share of errors of which fine-tuning was never seen to correct more than half; docs/research/auto.md."""


class Floor(NamedTuple):
    """The baseline of a head on the frozen backbone: its best epoch and validation logits (V, K)."""

    row: EpochRow
    logits: Tensor

    def count_errors(self, targets: npt.NDArray[np.int64]) -> int:
        """Return on how many of the validation pictures, with targets (V,), it is wrong."""
        return int((self._predict(self.logits) != targets).sum())

    def leaves_gain(self, targets: npt.NDArray[np.int64]) -> bool:
        """Return whether the validation pictures could show that another model is better.

        McNemar's exact test compares the best one to be expected with the baseline: it is right on all of them or,
        where the baseline is right on 95 % or more, corrects half of its errors.
        """
        errors = self.count_errors(targets)
        are_few = errors <= _FEW_ERRORS * len(targets)
        return _can_be_shown(math.ceil(errors / 2) if are_few else errors)

    def compare(self, logits: Tensor, targets: npt.NDArray[np.int64]) -> Interval:
        """Return how much more accurate other logits (V, K) are, with the paired interval."""
        is_correct, was_correct = self._predict(logits) == targets, self._predict(self.logits) == targets
        return estimate_mean((is_correct.astype(np.float64) - was_correct)[None])

    def ends_training(self, targets: npt.NDArray[np.int64]) -> bool:
        """Return whether it leaves nothing to gain, and say so in the log."""
        if self.leaves_gain(targets):
            return False
        errors = self.count_errors(targets)
        logger.info(
            "training ends here: phase %s is wrong on %d of %s; if %s of them were corrected, the gain could still be "
            "chance. With training.must_gain=false the other phases are trained, too",
            self.row.phase,
            errors,
            count_of(len(targets), "validation picture"),
            "half" if _can_be_shown(errors) else "all",
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


def _can_be_shown(corrected: int) -> bool:
    """Return whether it can be told from chance that so many errors were corrected, and none made."""
    return compute_mcnemar(0, corrected) < _SIGNIFICANCE
