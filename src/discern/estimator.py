"""A scikit-learn estimator over picture files or arrays."""

import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from discern.config.load import load_settings
from discern.config.overrides import Overrides, list_overrides
from discern.data.sources.inputs import load_inputs
from discern.data.sources.samples import check_labels, list_samples, name_labels
from discern.engine.train_step import Loss
from discern.errors import BadImagesError, DataError, refuse_value
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.custom import Network
from discern.training.listeners import Listener
from discern.workflows.train import train

logger = logging.getLogger("discern")

_DATA = Path(__file__).with_name("data")
_EXPECTED_SEED = "None, a whole number from 0 to 4294967295, or a numpy.random.RandomState"
Images = Iterable[Any]
"""Pictures one by one, in any container; an array, a Series and a table are containers, too."""


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """An image classifier that is trained by a recipe, for use wherever scikit-learn takes a classifier.

    `X` are pictures one by one: paths, arrays or PIL pictures in a list, a Series or a table of one column, or an array
    uint8 or uint16 (N, H, W, 3) or (N, H, W). A path may repeat. `y` (N,) are labels: texts, whole numbers or booleans.

    Args:
        recipe: Name of a recipe, or path of a TOML file.
        overrides: Settings that override the recipe: `key=value` strings, or a mapping such as `{"epochs": 5}`.
        out: A run folder to keep, without a run in it; by default a temporary folder, removed after fitting.
        validation_fraction: Fraction of the pictures, in [0, 1), that choose which model is kept.
        random_state: Seed of the run; None draws one, and a `RandomState` gives one.
        verbose: Show progress on standard output.
        network: Your own, as for `discern.train`.
        loss: Your own, as for `discern.train`.
        metrics: Your own, as for `discern.train`.
        augment: Your own, as for `discern.train`.
        listeners: Your own, as for `discern.train`.

    Attributes:
        classes_: The labels, sorted as scikit-learn sorts them (K,); the columns of `predict_proba`.
        predictor_: The trained `Predictor`.
        history_: One row per epoch, as in history.csv.
    """

    def __init__(
        self,
        recipe: str | Path = "auto",
        overrides: Overrides = (),
        out: str | Path | None = None,
        validation_fraction: float = 0.15,
        random_state: int | np.random.RandomState | None = 0,
        verbose: bool = False,
        network: Network | None = None,
        loss: Loss | None = None,
        metrics: Mapping[str, MetricFunction] | None = None,
        augment: Callable[[Tensor], Tensor] | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.recipe = recipe
        self.overrides = overrides
        self.out = out
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.verbose = verbose
        self.network = network
        self.loss = loss
        self.metrics = metrics
        self.augment = augment
        self.listeners = listeners

    def fit(self, X: Images, y: npt.ArrayLike) -> Self:  # noqa: N803 - scikit-learn's name
        """Train on pictures `X` (N) with labels `y` (N,), or (N, 1).

        Raises:
            ConfigError: A parameter is of another kind or out of range.
            DataError: X or y is of another kind or shape, labels are missing or no classes, or pictures cannot be used;
                shapes and labels are checked before any work.
        """
        self._check_parameters()
        samples = list_samples(X)
        own = {"data.split": [1 - self.validation_fraction, self.validation_fraction, 0.0], "seed": self._draw_seed()}
        if self.out is None:
            # Nobody would see them.
            own |= {"plots": False, "report": False}
        overrides = list_overrides(own, self.overrides)
        labels = check_labels(y, len(samples), load_settings(self.recipe, overrides).data.missing_labels)
        is_known = np.array([label is not None for label in labels])
        known = labels[is_known]
        known = np.array(known.tolist()) if known.dtype == object else known
        self.classes_, indices = np.unique(known, return_inverse=True)
        names = name_labels(self.classes_)
        named = np.full(len(labels), None, dtype=object)
        named[is_known] = np.array(names, dtype=object)[indices]
        with tempfile.TemporaryDirectory() as temporary, self._with_own_advice(), self._showing_doubts():
            run = train(
                (samples, named),
                out=Path(temporary) / "run" if self.out is None else self.out,
                recipe=self.recipe,
                overrides=overrides,
                network=self.network,
                loss=self.loss,
                metrics=self.metrics,
                augment=self.augment,
                listeners=self.listeners,
                verbose=self.verbose,
            )
            self.history_ = run.history
            self.predictor_ = run.load(network=self.network)
        # The bundle's classes are in natural order; ours are in scikit-learn's. They are joined by name.
        self._columns = [self.predictor_.class_names.index(name) for name in names]
        return self

    def predict_proba(self, X: Images) -> npt.NDArray[np.float64]:  # noqa: N803
        """Return probabilities (N, K), columns as in `classes_`.

        Raises:
            DataError: A picture cannot be decoded.
        """
        check_is_fitted(self, "predictor_")
        samples = list_samples(X)
        table = load_inputs(samples, depth_range=self.predictor_.bundle.preprocess.depth_range)
        if len(table) != len(samples):
            raise DataError(f"X has {len(samples)} elements for {len(table)} pictures; expected one picture for each")
        return self.predictor_.predict_probabilities(table)[:, self._columns]

    def predict(self, X: Images) -> npt.NDArray[Any]:  # noqa: N803
        """Return labels (N,).

        Raises:
            DataError: A picture cannot be decoded.
        """
        check_is_fitted(self, "predictor_")
        answers: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return answers

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "predictor_")

    def _check_parameters(self) -> None:
        """Check what only the estimator has, since the errors of training name the settings that become of it."""
        fraction, out = self.validation_fraction, self.out
        if not isinstance(fraction, Real) or isinstance(fraction, bool) or not 0 <= fraction < 1:
            raise refuse_value("validation_fraction", fraction, "a number from 0 to less than 1")
        if out is not None and not isinstance(out, str | os.PathLike):
            raise refuse_value("out", out, "a path")

    def _draw_seed(self) -> int:
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            try:
                seed = check_random_state(seed).randint(2**31 - 1)
            except ValueError:
                raise refuse_value("random_state", seed, _EXPECTED_SEED) from None
        if not 0 <= seed < 2**32:
            raise refuse_value("random_state", seed, _EXPECTED_SEED)
        return int(seed)

    @contextmanager
    def _showing_doubts(self) -> Iterator[None]:
        """Show what is warned of pictures and labels, which no log is left of, where Python shows warnings of a log."""
        if self.verbose or logger.hasHandlers():
            yield
            return
        handler = logging.StreamHandler()
        handler.setLevel(logging.WARNING)
        # That there is no test split is no doubt here.
        handler.addFilter(lambda record: Path(record.pathname).is_relative_to(_DATA) and record.module != "prepare")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)

    @contextmanager
    def _with_own_advice(self) -> Iterator[None]:
        """Say how bad files are left out here, and name no list of them where its folder is gone by then."""
        try:
            yield
        except BadImagesError as error:
            way = 'Repair or remove them, or leave them out with overrides={"data.on_bad": "skip"}.'
            listed_in = None if self.out is None else error.listed_in
            raise BadImagesError(error.problems, next_step=(way,), listed_in=listed_in) from None
