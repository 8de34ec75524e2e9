"""The contents of a run folder, as far as they are there; each part that is missing has a reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from discern.auditing.record import AuditRecord, load_audit_record
from discern.config.load import read_settings
from discern.config.settings import Settings
from discern.data.table import SPLITS, natural_sort
from discern.environment import Environment
from discern.errors import DiscernError
from discern.evaluation.abstention import Abstention
from discern.evaluation.comparison import select_split
from discern.evaluation.metrics import Metrics, load_metrics
from discern.evaluation.predictions import Predictions, load_predictions
from discern.files import read_json
from discern.planning.plan import Plan, load_plan
from discern.predictor.description import BundleDescription
from discern.predictor.record import TrainingRecord
from discern.run_folder import RunFolder

_Content = TypeVar("_Content")
_Model = TypeVar("_Model", bound=BaseModel)


class ClassScores(NamedTuple):
    """One class of per_class.csv; None for a fraction of no pictures, and for a column that is not in the file."""

    name: str
    pictures: int
    precision: float | None
    recall: float | None
    recall_low: float | None
    recall_high: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class RunFacts:
    """A run, as far as its folder holds it: parts that are None have their reason in `missing`, by the part's name.

    `split` is the reported one: test, else validation. `split_counts` has one row per class and one column per split.
    `without_leaks` are the metrics without the pictures that are also in another split, None where there are no such
    pictures; a split with no other pictures is not in it.
    """

    name: str
    root: Path
    is_complete: bool
    split: str | None
    metrics: dict[str, Metrics]
    without_leaks: dict[str, Metrics] | None
    answers: Predictions | None
    per_class: tuple[ClassScores, ...] | None
    confusion: pd.DataFrame | None
    history: pd.DataFrame | None
    split_counts: pd.DataFrame | None
    bundle: BundleDescription | None
    environment: Environment
    plan: Plan | None
    settings: Settings | None
    audit: AuditRecord | None
    bad_files: int
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def reported(self) -> Metrics | None:
        """The metrics of the reported split."""
        return None if self.split is None else self.metrics[self.split]

    @property
    def record(self) -> TrainingRecord | None:
        """The record of the training in the bundle."""
        return None if self.bundle is None else self.bundle.record

    @property
    def thresholds(self) -> Abstention:
        """The confidence thresholds by the accepted share of wrong answers; None for a share that none achieves."""
        return {} if self.record is None else self.record.abstention

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of the classifier where it is known."""
        if self.bundle is not None:
            return self.bundle.class_names
        if self.answers is not None:
            return self.answers.class_names
        return () if self.split_counts is None else tuple(map(str, self.split_counts.index))


def choose_reported_split(metrics: Mapping[str, Metrics]) -> str | None:
    """Return the split that is reported: test, else validation, else the first; None where nothing was evaluated."""
    return next((name for name in ("test", "validation", *metrics) if name in metrics), None)


def load_run_facts(folder: RunFolder) -> RunFacts:
    """Read all parts of a run folder; files that are missing or damaged are left out."""
    reader = _Reader(folder.root)
    metrics = reader.read("metrics", folder.evaluation / "metrics.json", load_metrics) or {}
    split = choose_reported_split(metrics)
    leaks = folder.evaluation / "metrics_without_leaks.json"
    bad_files = folder.bad_files
    return RunFacts(
        name=folder.root.resolve().name,
        root=folder.root,
        is_complete=folder.is_complete(),
        split=split,
        metrics=metrics,
        without_leaks=reader.read("without_leaks", leaks, load_metrics) if leaks.is_file() else None,
        answers=reader.read(
            "answers", folder.evaluation / "predictions.csv", lambda path: _read_predictions(path, split)
        ),
        per_class=reader.read("per_class", folder.evaluation / "per_class.csv", _read_per_class),
        confusion=reader.read("confusion", folder.evaluation / "confusion.csv", _read_confusion),
        history=reader.read("history", folder.history, _read_history),
        split_counts=reader.read("split_counts", folder.split, _count_splits),
        bundle=reader.read("bundle", folder.bundle / "bundle.json", _reading(BundleDescription)),
        environment=reader.read("environment", folder.environment, _reading(Environment)) or Environment(),
        plan=reader.read("plan", folder.plan, load_plan),
        settings=reader.read("settings", folder.config, read_settings),
        audit=reader.read("audit", folder.audit, load_audit_record),
        bad_files=(reader.read("bad_files", bad_files, _count_rows) or 0) if bad_files.is_file() else 0,
        missing=reader.missing,
    )


class _Reader:
    """Reads one file after the other and keeps the reason why one could not be read."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.missing: dict[str, str] = {}

    def read(self, part: str, path: Path, load: Callable[[Path], _Content]) -> _Content | None:
        name = path.relative_to(self._root).as_posix()
        if not path.is_file():
            self.missing[part] = f"{name} is not in the run folder"
            return None
        try:
            return load(path)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            self.missing[part] = f"{name} cannot be used ({place}: {first['msg']})"
        except (DiscernError, OSError, ValueError, KeyError) as error:
            reason = str(error).replace(str(path), name).splitlines()
            self.missing[part] = f"{name} cannot be used ({reason[0] if reason else type(error).__name__})"
        return None


def _read_json(path: Path) -> Any:
    return read_json(path)


def _reading(model: type[_Model]) -> Callable[[Path], _Model]:
    return lambda path: model.model_validate(_read_json(path))


def _read_predictions(path: Path, split: str | None) -> Predictions:
    """Read the rows of the reported split, or all where the file has no such split."""
    predictions = load_predictions(path)
    return predictions if split is None else select_split(predictions, split)


def _read_per_class(path: Path) -> tuple[ClassScores, ...]:
    """Read one row per class; a class may be called `NA` or `007`."""
    cells = pd.read_csv(path, dtype="str", keep_default_na=False)
    lacking = [name for name in ("class_name", "count", "recall") if name not in cells]
    if lacking:
        raise ValueError(f"it has no column {', '.join(lacking)}")
    scores = ("precision", "recall", "recall_low", "recall_high", "f1")
    columns = [_read_numbers(cells, name) for name in scores]
    return tuple(map(ClassScores, cells["class_name"], cells["count"].astype(int), *columns))


def _read_numbers(cells: pd.DataFrame, column: str) -> list[float | None]:
    if column not in cells:
        return [None] * len(cells)
    return [None if np.isnan(value) else value for value in pd.to_numeric(cells[column], errors="coerce").astype(float)]


def _read_confusion(path: Path) -> pd.DataFrame:
    """Read counts by true class (index) and predicted class (columns)."""
    cells = pd.read_csv(path, dtype="str", keep_default_na=False)
    counts = cells.iloc[:, 1:].astype(np.int64)
    counts.index = pd.Index(cells.iloc[:, 0])
    if counts.empty or list(counts.index) != list(counts.columns):
        raise ValueError("its rows and columns are not the same classes")
    return counts


def _read_history(path: Path) -> pd.DataFrame:
    history = pd.read_csv(path, dtype={"phase": "str"}, keep_default_na=False, na_values={"validation_loss": [""]})
    numbers = ["epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy"]
    history[numbers] = history[numbers].apply(pd.to_numeric, errors="coerce")
    if "phase" not in history:
        raise ValueError("it has no column phase")
    if history.empty:
        raise ValueError("no epoch is complete")
    return history


def _count_splits(path: Path) -> pd.DataFrame:
    rows = pd.read_csv(path, usecols=["label", "split"], dtype="str", keep_default_na=False)
    counts = rows.value_counts().unstack(fill_value=0)
    used = [name for name in SPLITS if name in counts]
    return counts.reindex(index=natural_sort(counts.index), columns=used)


def _count_rows(path: Path) -> int:
    return len(pd.read_csv(path, dtype="str"))
