"""The history of a training: losses, accuracies, rate and speed of every epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import pandas as pd

from discern.errors import OVERWRITE, RunFolderError, one_line
from discern.files import write_atomically


@dataclass(frozen=True)
class EpochRow:
    """One row of history.csv. Losses and accuracies are averages over pictures, NaN without a validation split.

    `epoch` counts from 1 over all phases; `learning_rate` is that of the topmost trainable part at the last step;
    `seconds` include validation; `images_per_second` are of training alone. `metrics` are the user's own, of the
    validation pictures; in the file each has a column `validation_NAME`.
    """

    phase: str
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_validation(self) -> bool:
        """Whether there are validation scores."""
        return not math.isnan(self.validation_loss)

    def score(self, monitor: str) -> tuple[float, ...]:
        """Return what the best epoch is chosen by, greater is better; the loss decides between equal accuracies."""
        if monitor == "validation_loss":
            return (-self.validation_loss,)
        return self.validation_accuracy, -self.validation_loss


def build_history(rows: Sequence[EpochRow]) -> pd.DataFrame:
    """Return the rows as a table with the columns of history.csv."""
    columns = [one.name for one in fields(EpochRow) if one.name != "metrics"]
    own = [f"validation_{name}" for name in (rows[0].metrics if rows else ())]
    cells = [asdict(row) | {f"validation_{name}": value for name, value in row.metrics.items()} for row in rows]
    return pd.DataFrame(cells, columns=[*columns, *own])


def load_history(path: Path) -> pd.DataFrame:
    """Read history.csv.

    Raises:
        RunFolderError: It is missing or damaged.
    """
    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        reason = one_line(error)
        raise RunFolderError(f"{path} is missing or damaged ({reason}); train again with ", OVERWRITE) from None


def save_history(rows: Sequence[EpochRow], path: Path) -> None:
    """Write history.csv."""
    write_atomically(path, build_history(rows).to_csv(index=False, float_format="%.6g"))
