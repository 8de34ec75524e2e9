"""A completed run by its folder: its numbers, its figures, and its classifier."""

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from discern.data.sources.load import Source
from discern.environment import Environment, load_environment
from discern.errors import ConfigError
from discern.evaluation.metrics import Metrics, load_metrics
from discern.evaluation.predictions import Predictions, load_predictions
from discern.models.custom import Network
from discern.percent import percent
from discern.planning.plan import Plan, load_plan
from discern.plots.curves import plot_curves, plot_schedule
from discern.predictor.load import load
from discern.predictor.predictor import Predictor
from discern.reports.evaluation_figures import EVALUATION_FIGURES
from discern.reports.run_facts import load_run_facts
from discern.reports.run_report import write_report
from discern.reports.run_summary import build_run_summary
from discern.reports.training_plots import list_rates
from discern.reports.verdict import find_best_epoch
from discern.run_folder import RunFolder
from discern.training.history import build_history, load_history

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN_STEPS = 20
"""Updates an epoch in the drawing of learning rates."""


class Run:
    """What a training left in its folder.

    Args:
        root: The run folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.folder = RunFolder(Path(root))

    def __repr__(self) -> str:
        metrics = load_run_facts(self.folder).metrics
        accuracies = [f"{split} accuracy {percent(values.accuracy.value)}" for split, values in metrics.items()]
        return f"<Run {self.folder.root}: {', '.join(accuracies) or 'not evaluated'}>"

    def _repr_html_(self) -> str:
        return build_run_summary(load_run_facts(self.folder))

    @cached_property
    def metrics(self) -> dict[str, Metrics]:
        """The metrics by split: `metrics["test"].accuracy.value`, with `low` and `high` of its 95 % interval."""
        return load_metrics(self.folder.evaluation / "metrics.json")

    @property
    def folds(self) -> "tuple[Run, ...]":
        """The run of each network, if it was trained in folds; the first has not seen fold 1."""
        return tuple(Run(self.folder.fold(number + 1).root) for number in range(self.plan.folds or 0))

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch, as in history.csv; none where nothing was trained.

        Raises:
            ConfigError: It was trained in folds.
        """
        if self.plan.folds is not None:
            raise ConfigError(
                f"the run in {self.folder.root} was trained in folds, and each has a history of its own: "
                "run.folds[0].history"
            )
        return load_history(self.folder.history) if self.plan.phases else build_history([])

    @cached_property
    def plan(self) -> Plan:
        """What was decided before the training, with the reasons."""
        return load_plan(self.folder.plan)

    @cached_property
    def environment(self) -> Environment:
        """The machine, versions and data of the training."""
        return load_environment(self.folder.environment)

    @cached_property
    def predictions(self) -> Predictions:
        """The predictions for the validation pictures, or those of all folds, and for the test pictures.

        Raises:
            DataError: There are none.
        """
        return load_predictions(self.folder.evaluation / "predictions.csv")

    def load(self, *, device: str = "auto", network: Network | None = None) -> Predictor:
        """Return the trained classifier; see `discern.load`."""
        return load(self.folder.root, device=device, network=network)

    def predict(self, inputs: Any, **options: Any) -> pd.DataFrame:
        """Return one row per picture with label and confidence; inputs and options are those of `Predictor.predict`."""
        return self._predictor.predict(inputs, **options)

    def evaluate(self, source: Source, *, split: str | None = None, on_bad: str = "error") -> Metrics:
        """Return the metrics of labelled pictures; nothing is written. See `Predictor.evaluate`."""
        return self._predictor.evaluate(source, split=split, on_bad=on_bad)

    def plot(self, kind: str = "curves") -> "Figure":
        """Return a figure of the run.

        Args:
            kind: "curves", "learning_rate", or of the reported split "confusion", "confusion_normalized",
                "reliability", "coverage" or, for two classes, "roc".

        Raises:
            ConfigError: There is no such figure, or nothing to draw in it.
        """
        figures: dict[str, Callable[[], Figure | None]] = {
            "curves": self._plot_curves,
            "learning_rate": self._plot_rates,
            **{name: partial(self._plot_evaluation, name) for name in EVALUATION_FIGURES},
        }
        if kind not in figures:
            raise ConfigError(f"no figure {kind!r}; there are {', '.join(figures)}")
        figure = figures[kind]()
        if figure is None:
            raise ConfigError(f"the run in {self.folder.root} has nothing to draw in {kind}")
        return figure

    def report(self, *, data: str | Path | None = None) -> Path:
        """Write report.html again, and return its path; `data` is the folder that the pictures were moved to."""
        return write_report(self.folder, data=data)

    @cached_property
    def _predictor(self) -> Predictor:
        return self.load()

    def _plot_curves(self) -> "Figure | None":
        if self.history.empty:
            return None
        best = find_best_epoch(load_run_facts(self.folder))
        return plot_curves(self.history, kept_epoch=None if best is None else best.epoch)

    def _plot_rates(self) -> "Figure | None":
        if self.history.empty:
            return None
        return plot_schedule(pd.DataFrame(list_rates(self.plan, self.history, _DRAWN_STEPS)))

    def _plot_evaluation(self, kind: str) -> "Figure | None":
        split = self.predictions.splits[-1]
        return EVALUATION_FIGURES[kind](self.predictions.select(split), self.metrics[split])
