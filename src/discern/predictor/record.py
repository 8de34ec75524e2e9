"""How a classifier was trained, as its bundle records it for people, reports and exported files."""

from collections.abc import Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict

from discern.environment import Environment
from discern.evaluation.abstention import Abstention
from discern.evaluation.comparison import Comparison
from discern.evaluation.intervals import SavedInterval
from discern.evaluation.metrics import Metrics
from discern.planning.plan import Plan


class FoldRecord(BaseModel):
    """A member of an ensemble: how many pictures it learnt from, and its scores on the fold that was held out.

    `best_epoch` and `outcome` are as in `TrainingRecord`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train: int
    validation: int
    held_out: int
    accuracy: SavedInterval
    macro_f1: SavedInterval | None
    loss: SavedInterval | None
    best_epoch: int
    outcome: str | None = None


class TrainingRecord(BaseModel):
    """The plan, the machine and the data of a training, and what came of it.

    `counts` are pictures by split, `best_epoch` counts from 1 and is 0 where nothing was trained, `scores` are metrics
    by split. `abstention` says for usual shares of wrong answers which confidence is needed, as chosen on validation,
    and what that did on each split. `outcome` is a sentence: which model was kept and what fine-tuning brought, where
    there is something to compare. `folds` are those of an ensemble, which has no best epoch of its own. `teacher`
    compares a teacher (A) with the classifier that learnt from it (B) on the reported pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: Plan | None = None
    environment: Environment
    counts: dict[str, int]
    best_epoch: int
    scores: dict[str, Metrics] = {}
    abstention: Abstention = {}
    outcome: str | None = None
    folds: tuple[FoldRecord, ...] = ()
    teacher: Comparison | None = None


def tabulate_folds(records: Sequence[FoldRecord]) -> pd.DataFrame:
    """Return one row a fold, as the folds.csv of an evaluation has them."""
    rows = []
    for number, record in enumerate(records, start=1):
        counts = {"fold": number, "train": record.train, "validation": record.validation, "held_out": record.held_out}
        scores = {"accuracy": record.accuracy, "macro_f1": record.macro_f1, "loss": record.loss}
        ends = {f"accuracy_{end}": getattr(record.accuracy, end) for end in ("low", "high")}
        values = {name: None if score is None else score.value for name, score in scores.items()}
        rows.append(counts | values | ends | {"best_epoch": record.best_epoch})
    return pd.DataFrame(rows)
