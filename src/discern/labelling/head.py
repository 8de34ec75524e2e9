"""The linear head that learns from the labels so far, anew within a second."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Numbers = npt.NDArray[np.float32]
_STRENGTH = 10.0
"""Inverse regularisation for one label, on features of the length sqrt(F): on three sets with two networks, with 50 to
3,000 labels, a factor of 3 to either side changed the accuracy by less than two points."""
_MAX_ITERATIONS = 300


class Answered(NamedTuple):
    """The head's answers about N pictures: its class with the confidence in it, and the second best class.

    `doubts` are how far an answer is from being sure: 1 less the sum of the squared probabilities.
    """

    labels: npt.NDArray[np.object_]
    confidences: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.object_]
    doubts: npt.NDArray[np.float64]


class Head:
    """Multinomial logistic regression on normalized features, whose strength depends on the number of labels alone.

    Few labels, which were chosen to be learnt from, say nothing of how strong the regularisation should be.
    """

    def __init__(self, features: Numbers, labels: Sequence[str]) -> None:
        """Learn from features (N, F) and the labels of two classes or more."""
        self.strength = _STRENGTH / len(labels)
        self._model = LogisticRegression(C=self.strength, max_iter=_MAX_ITERATIONS, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at the beginning nearly every label is another class
            self._model.fit(features, np.asarray(labels, dtype=object).astype(str))

    def answer(self, features: Numbers) -> Answered:
        """Answer pictures by their features (N, F)."""
        probabilities = self._model.predict_proba(features).astype(np.float64)
        order = np.argsort(probabilities, axis=1)
        names = self._model.classes_.astype(object)
        first, second = order[:, -1], order[:, -2]
        doubts = 1 - (probabilities**2).sum(axis=1)
        return Answered(names[first], probabilities[np.arange(len(first)), first], names[second], doubts)
