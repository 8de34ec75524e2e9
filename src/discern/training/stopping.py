"""Early stopping, and the choice of the epoch that is kept."""

from dataclasses import dataclass

from torch import Tensor, nn

from discern.training.history import EpochRow


@dataclass
class EarlyStopping:
    """Ends a phase after `patience` epochs in a row without improvement; 0 never ends it."""

    patience: int
    monitor: str
    best: tuple[float, ...] | None = None
    waited: int = 0

    def observe(self, row: EpochRow) -> bool:
        """Record an epoch; return whether the phase should end."""
        if not row.has_validation:
            return False
        score = row.score(self.monitor)
        if self.best is None or score > self.best:
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        return 0 < self.patience <= self.waited


@dataclass
class BestModel:
    """The weights and validation logits (V, K) of the best epoch so far; without a validation split, of the last.

    Which epochs compete is decided by who calls `observe`.
    """

    monitor: str
    row: EpochRow | None = None
    weights: dict[str, Tensor] | None = None
    logits: Tensor | None = None
    floor: EpochRow | None = None

    def observe(self, row: EpochRow, classifier: nn.Module, logits: Tensor | None, *, is_final: bool = False) -> bool:
        """Keep a copy of the weights on the CPU, and the logits, if this epoch is the best; return whether it is.

        The `floor`, a simpler model, is only replaced by an epoch with a higher accuracy, not by one with the same
        accuracy and a lower loss (if the loss is the monitor, by one with a lower loss). The final epoch of a phase of
        which no other one competes has not been picked for its luck: a lower loss is enough, too.
        """
        known = self.row
        if known is not None and row.has_validation and not self._is_better(row, known, is_final=is_final):
            return False
        self.row, self.logits = row, logits
        self.weights = {name: tensor.detach().cpu().clone() for name, tensor in classifier.state_dict().items()}
        return True

    def _is_better(self, row: EpochRow, known: EpochRow, *, is_final: bool) -> bool:
        if is_final and row.validation_loss < known.validation_loss:
            return True
        if known == self.floor and self.monitor == "validation_accuracy":
            return row.validation_accuracy > known.validation_accuracy
        return row.score(self.monitor) > known.score(self.monitor)
