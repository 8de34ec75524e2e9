"""Solves exactly for a linear head on frozen features, a convex problem that needs no learning rate."""

import logging
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from discern.models.heads import LinearHead

logger = logging.getLogger("discern")

Numbers = npt.NDArray[np.floating[Any]]
_Part = tuple[Numbers, npt.NDArray[np.int64], Numbers, npt.NDArray[np.int64]]
"""Features and targets to fit, and held-out ones to score."""

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation strengths to try on standardised features, from strong to weak regularisation."""
_DEFAULT_STRENGTH = 1e-2
_FEW_VALIDATION = 200
_FOLDS = 3
_MAX_ITERATIONS = 1000
_MIN_PROBABILITY = 1e-12


def solve_head(
    head: LinearHead,
    train: tuple[Tensor, npt.NDArray[np.int64]],
    validation: tuple[Tensor, npt.NDArray[np.int64]] | None,
    *,
    balanced: bool,
) -> float:
    """Set a linear head to the solution of multinomial logistic regression; return the strength that was chosen.

    The strength with the lowest loss is chosen, whatever the run's `monitor` is: accuracies on a few hundred pictures
    differ by chance, and an overconfident head is a bad start for training all layers.

    Args:
        head: From features (F) to classes (K).
        train: Features (V, N, F) of V views and targets (N,), in which every class occurs.
        validation: Features (1, N, F) and targets, by which the regularisation is chosen. With fewer than 200 it is
            chosen by cross-validation on the train features instead, if these have one view and at least two pictures
            of each class. If neither is possible, the strength is 0.01.
        balanced: Weight classes inversely to their frequency.
    """
    features, targets = _to_numpy(train[0]), np.tile(train[1], len(train[0]))
    space = _Space.of(features)
    inputs = space.project(features)
    can_leave_out = len(train[0]) == 1 and np.bincount(targets).min() > 1
    if can_leave_out and (validation is None or len(validation[1]) < _FEW_VALIDATION):
        strength = _search(_leave_out_in_turn(inputs, targets), balanced=balanced).strength
    elif validation is not None:
        held_out = space.project(_to_numpy(validation[0])), validation[1]
        strength = _search([(inputs, targets, *held_out)], balanced=balanced).strength
    else:
        strength = _DEFAULT_STRENGTH
    model = _build_model(balanced=balanced)
    _fit(model, strength, inputs, targets)
    logger.debug("the head is solved with inverse regularisation C = %g%s", strength, _describe_end(model))
    weight = space.lift(model.coef_)
    _set_layer(head.layers[-1], weight, model.intercept_ - weight @ space.mean)
    return strength


class ProbeScore(NamedTuple):
    """The strength with the lowest loss on held-out pictures, with the loss of each of them and what was correct (N,).

    Their order depends on the targets alone, so that the scores of two networks can be compared picture by picture.
    """

    strength: float
    losses: npt.NDArray[np.float64]
    is_correct: npt.NDArray[np.bool_]

    @property
    def loss(self) -> float:
        """The mean loss."""
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """The share of correct answers."""
        return float(self.is_correct.mean())


def cross_validate(features: Numbers, targets: npt.NDArray[np.int64], *, balanced: bool = False) -> ProbeScore:
    """Score logistic regression on features (N, F) by cross-validation in three folds.

    Args:
        features: Outputs of the backbone, not standardised.
        targets: Class indices (N,), in which every class occurs twice or more.
        balanced: As for `solve_head`.
    """
    return _search(_leave_out_in_turn(_Space.of(features).project(features), targets), balanced=balanced)


class _Space(NamedTuple):
    """Standardised features, with one number a picture where there are more features than pictures.

    A solution that is regularised by its length lies in the space that the pictures span: `basis` (F, N) is orthonormal
    there, and None where the pictures span all.
    """

    mean: Numbers
    scale: Numbers
    basis: Numbers | None

    @classmethod
    def of(cls, features: Numbers) -> Self:
        """Return the space of features (N, F) to fit."""
        mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        basis = np.linalg.qr(((features - mean) / scale).T)[0] if features.shape[1] > len(features) else None
        return cls(mean, scale, basis)

    def project(self, features: Numbers) -> Numbers:
        """Return features (N, F) in this space."""
        standard = (features - self.mean) / self.scale
        return standard if self.basis is None else standard @ self.basis

    def lift(self, weight: Numbers) -> Numbers:
        """Return weights (K, F) for features as they are, from those (K, ...) in this space."""
        standard = weight if self.basis is None else weight @ self.basis.T
        return np.asarray(standard / self.scale)


def _leave_out_in_turn(inputs: Numbers, targets: npt.NDArray[np.int64]) -> list[_Part]:
    """Return a part for each fold: the others to fit, and it to score."""
    num_folds = min(_FOLDS, int(np.bincount(targets).min()))
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=0).split(inputs, targets)
    return [(inputs[fitted], targets[fitted], inputs[out], targets[out]) for fitted, out in folds]


def _search(parts: Sequence[_Part], *, balanced: bool) -> ProbeScore:
    """Try strengths from strong to weak regularisation until the loss rises: weaker ones take long and are worse."""
    models = [_build_model(balanced=balanced) for _ in parts]
    best: ProbeScore | None = None
    for strength in STRENGTHS:
        losses, hits = [], []
        for model, (features, targets, left_out, truth) in zip(models, parts, strict=True):
            _fit(model, strength, features, targets)
            probabilities = model.predict_proba(left_out).astype(np.float64)
            losses.append(-np.log(probabilities[np.arange(len(truth)), truth].clip(_MIN_PROBABILITY)))
            hits.append(probabilities.argmax(axis=1) == truth)
        found = ProbeScore(strength, np.concatenate(losses), np.concatenate(hits))
        logger.debug(
            "C = %g: loss %.4f accuracy %.1f %% on held-out pictures", strength, found.loss, 100 * found.accuracy
        )
        if best is not None and found.loss >= best.loss:
            break
        best = found
    if best is None:
        raise ValueError("expected a strength to try, got none")
    return best


def _fit(model: LogisticRegression, strength: float, features: Numbers, targets: npt.NDArray[np.int64]) -> None:
    """Solve for one strength, starting from the previous solution."""
    model.C = strength
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # logged where it matters
        model.fit(features, targets)


def _describe_end(model: LogisticRegression) -> str:
    return ", not fully converged" if model.n_iter_.max() >= _MAX_ITERATIONS else ""


def _build_model(*, balanced: bool) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITERATIONS, warm_start=True, class_weight="balanced" if balanced else None)


def _set_layer(layer: nn.Module, weight: Numbers, bias: Numbers) -> None:
    if len(weight) == 1:
        # For two classes there is one row, the difference of both; half of it for each gives the same probabilities.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"expected a head that ends in a linear layer, got {type(layer).__name__}")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))


def _to_numpy(features: Tensor) -> Numbers:
    return features.flatten(0, 1).float().numpy()
