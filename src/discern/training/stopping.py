"""Which epoch is the best, and when a phase has nothing more to give."""

from dataclasses import dataclass

from torch import Tensor, nn

from discern.training.history import EpochRow


@dataclass
class EarlyStopping:
    """Ends a phase when `patience` epochs in a row brought nothing better than its best one; 0 never ends it."""

    patience: int
    monitor: str
    best: tuple[float, ...] | None = None
    waited: int = 0

    def observe(self, row: EpochRow) -> bool:
        """Take in an epoch; return whether the phase should end."""
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
    """The weights of the best epoch so far and its validation logits (N, K); without a validation split, the last."""

    monitor: str
    row: EpochRow | None = None
    weights: dict[str, Tensor] | None = None
    logits: Tensor | None = None
    floor: EpochRow | None = None

    def observe(self, row: EpochRow, classifier: nn.Module, logits: Tensor | None) -> bool:
        """Keep a copy of the weights on the CPU, and the logits, if this epoch is the best; return whether it is.

        Where there is a `floor`, which is the simpler model, only an epoch with a higher accuracy takes its
        place (where the loss is what is watched, with a lower loss).
        """
        known = self.row
        if known is not None and row.has_validation and not self._is_better(row, known):
            return False
        self.row, self.logits = row, logits
        self.weights = {name: tensor.detach().cpu().clone() for name, tensor in classifier.state_dict().items()}
        return True

    def _is_better(self, row: EpochRow, known: EpochRow) -> bool:
        if known == self.floor and self.monitor == "validation_accuracy":
            return row.validation_accuracy > known.validation_accuracy
        return row.score(self.monitor) > known.score(self.monitor)
