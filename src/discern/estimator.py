"""A scikit-learn estimator over picture files or arrays."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from discern.config.overrides import Overrides, list_overrides
from discern.engine.train_step import Loss
from discern.errors import DataError
from discern.evaluation.custom_metrics import MetricFunction
from discern.models.custom import Network
from discern.training.listeners import Listener
from discern.workflows.train import train

Images = npt.NDArray[np.generic] | Sequence[str | Path]


class ImageClassifier(ClassifierMixin, BaseEstimator):
    """An image classifier that is trained by a recipe, for use wherever scikit-learn takes a classifier.

    `X` is a sequence of paths, or an array uint8 (N, H, W, 3) or (N, H, W); `y` (N,) are labels of any kind.

    Args:
        recipe: Name of a recipe, or path of a TOML file.
        overrides: Settings that override the recipe: `key=value` strings, or a mapping such as `{"epochs": 5}`.
        out: A run folder to keep, without a run in it; by default a temporary folder, removed after fitting.
        validation_fraction: Fraction of the pictures, in [0, 1), that the best epoch is chosen by.
        random_state: Seed of the run.
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
        random_state: int = 0,
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
        """Train on pictures `X` (N) with labels `y` (N,).

        Raises:
            DataError: The lengths differ, two different labels have the same text, or pictures cannot be used.
        """
        labels = np.asarray(y)
        if len(labels) != len(X):
            raise DataError(f"X has {len(X)} pictures and y has {len(labels)} labels; expected one label per picture")
        self.classes_ = np.unique(labels)
        names = [str(label) for label in self.classes_]
        if len(set(names)) < len(names):
            raise DataError(f"different labels have the same text: {', '.join(sorted(names))}")
        own = {"data.split": [1 - self.validation_fraction, self.validation_fraction, 0.0], "seed": self.random_state}
        if self.out is None:
            # Nobody would see them.
            own |= {"plots": False, "report": False}
        source = _build_source(X, [str(label) for label in labels])
        with tempfile.TemporaryDirectory() as temporary:
            run = train(
                source,
                out=Path(temporary) / "run" if self.out is None else self.out,
                recipe=self.recipe,
                overrides=list_overrides(own, self.overrides),
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
        if isinstance(X, np.ndarray) and X.ndim > 1:
            return self.predictor_.predict_inputs(X)[:, self._columns]
        folders = [str(path) for path in X if Path(path).is_dir()]
        if folders:
            raise DataError(f"X has folders, {', '.join(folders[:5])}; expected one picture file for each row")
        return self.predictor_.predict_inputs([Path(path) for path in X])[:, self._columns]

    def predict(self, X: Images) -> npt.NDArray[Any]:  # noqa: N803
        """Return labels (N,).

        Raises:
            DataError: A picture cannot be decoded.
        """
        answers: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return answers

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "predictor_")


def _build_source(images: Images, labels: list[str]) -> pd.DataFrame | tuple[npt.NDArray[np.generic], list[str]]:
    if isinstance(images, np.ndarray) and images.ndim > 1:
        return images, labels
    return pd.DataFrame({"path": [str(path) for path in images], "label": labels})
