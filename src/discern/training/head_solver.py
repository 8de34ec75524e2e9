"""The exact solution for a linear head on frozen features: a convex problem needs no learning rate."""

import logging
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from discern.models.heads import LinearHead

logger = logging.getLogger("discern")

Numbers = npt.NDArray[np.floating[Any]]

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation tried, on standardised features; from much to little."""
_UNTRIED_STRENGTH = 1e-2
_FEW_VALIDATION = 200
_FOLDS = 5
_MAX_ITERATIONS = 1000


def solve_head(
    head: LinearHead,
    train: tuple[Tensor, npt.NDArray[np.int64]],
    validation: tuple[Tensor, npt.NDArray[np.int64]] | None,
    *,
    balanced: bool,
    monitor: str,
) -> float:
    """Set a linear head to the solution of multinomial logistic regression; return the strength that was chosen.

    Args:
        head: From features (F) to classes (K).
        train: Features (V, N, F) of V views and targets (N,), in which every class occurs.
        validation: Features (1, N, F) and targets, by which the regularisation is chosen. Where there are none or fewer
            than 200, it is chosen by cross-validation on the train features of one view instead, if each class has two
            pictures or more; where there is no other way, it is 0.01.
        balanced: Weigh classes inversely to their frequency.
        monitor: validation_accuracy (ties go to the lower loss) or validation_loss.
    """
    features, targets = _to_numpy(train[0]), np.tile(train[1], len(train[0]))
    mean, scale = _measure_features(features)
    held_out = None if validation is None else ((_to_numpy(validation[0]) - mean) / scale, validation[1])
    model = _build_model(balanced=balanced)
    can_leave_out = len(train[0]) == 1 and np.bincount(targets).min() > 1
    if (held_out is None or len(held_out[1]) < _FEW_VALIDATION) and can_leave_out:
        strength = cross_validate(features, targets, balanced=balanced, monitor=monitor).strength
        best = _solve(model, strength, (features - mean) / scale, targets, None, monitor)
    else:
        standardised = (features - mean) / scale
        strengths = STRENGTHS if held_out is not None else (_UNTRIED_STRENGTH,)
        solutions = [_solve(model, strength, standardised, targets, held_out, monitor) for strength in strengths]
        best = max(solutions, key=lambda solution: solution.score)
    weight = best.weight / scale
    _set_layer(head.layers[-1], weight, best.bias - weight @ mean)
    return best.strength


class _Solution(NamedTuple):
    strength: float
    score: tuple[float, ...]
    weight: Numbers
    bias: Numbers


def _solve(
    model: LogisticRegression,
    strength: float,
    features: Numbers,
    targets: npt.NDArray[np.int64],
    held_out: tuple[Numbers, npt.NDArray[np.int64]] | None,
    monitor: str,
) -> _Solution:
    """Solve for one strength, starting from the solution before; greater scores are better."""
    _fit(model, strength, features, targets)
    score = (0.0,) if held_out is None else _score(model, *held_out, monitor)
    unfinished = ", not quite solved" if model.n_iter_.max() >= _MAX_ITERATIONS else ""
    logger.info("regularisation 1/C with C = %g: %s%s", strength, _describe(score, monitor), unfinished)
    return _Solution(strength, score, model.coef_.copy(), model.intercept_.copy())


class CrossValidation(NamedTuple):
    """The strength that answers best for pictures left out of the fit, and its score; greater scores are better.

    Judged by accuracy the score is accuracy and negative loss, judged by loss the latter alone.
    """

    strength: float
    score: tuple[float, ...]


def cross_validate(
    features: Numbers, targets: npt.NDArray[np.int64], *, monitor: str, balanced: bool = False
) -> CrossValidation:
    """Judge logistic regression on features (N, F) by leaving out each picture once, in five parts.

    Args:
        features: As the backbone gives them.
        targets: Class indices (N,), in which every class occurs twice or more.
        monitor: As for `solve_head`.
        balanced: As for `solve_head`.
    """
    num_folds = min(_FOLDS, int(np.bincount(targets).min()))
    mean, scale = _measure_features(features)
    features = (features - mean) / scale
    probabilities = np.empty((len(STRENGTHS), len(targets), int(targets.max()) + 1))
    for fitted, left_out in StratifiedKFold(num_folds, shuffle=True, random_state=0).split(features, targets):
        fold = _build_model(balanced=balanced)
        for place, strength in enumerate(STRENGTHS):
            _fit(fold, strength, features[fitted], targets[fitted])
            probabilities[place, left_out] = fold.predict_proba(features[left_out])
    scores = [_score_probabilities(given, targets, monitor) for given in probabilities]
    best = max(range(len(scores)), key=scores.__getitem__)
    logger.info(
        "regularisation 1/C with C = %g, by cross-validation with %d folds: %s",
        STRENGTHS[best],
        num_folds,
        _describe(scores[best], monitor, "left-out"),
    )
    return CrossValidation(STRENGTHS[best], scores[best])


def _build_model(*, balanced: bool) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITERATIONS, warm_start=True, class_weight="balanced" if balanced else None)


def _measure_features(features: Numbers) -> tuple[Numbers, Numbers]:
    return features.mean(axis=0), features.std(axis=0) + 1e-6


def _fit(model: LogisticRegression, strength: float, features: Numbers, targets: npt.NDArray[np.int64]) -> None:
    model.C = strength
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the log, where it matters
        model.fit(features, targets)


def _set_layer(layer: nn.Module, weight: Numbers, bias: Numbers) -> None:
    if len(weight) == 1:
        # For two classes there is one row, the difference of both; half each gives the same probabilities.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"the head ends in {type(layer).__name__}")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))


def _score(
    model: LogisticRegression, features: Numbers, targets: npt.NDArray[np.int64], monitor: str
) -> tuple[float, ...]:
    return _score_probabilities(model.predict_proba(features), targets, monitor)


def _score_probabilities(probabilities: Numbers, targets: npt.NDArray[np.int64], monitor: str) -> tuple[float, ...]:
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    loss = float(log_loss(targets, probabilities, labels=np.arange(probabilities.shape[1])))
    if monitor == "validation_loss":
        return (-loss,)
    return float((probabilities.argmax(axis=1) == targets).mean()), -loss


def _describe(score: tuple[float, ...], monitor: str, split: str = "validation") -> str:
    if score == (0.0,):
        return "on all training pictures"
    loss = f"{split} loss {-score[-1]:.4f}"
    return loss if monitor == "validation_loss" else f"{loss} accuracy {score[0]:.1%}"


def _to_numpy(features: Tensor) -> Numbers:
    return features.flatten(0, 1).float().numpy()
