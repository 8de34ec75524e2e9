"""The exact solution for a linear head on frozen features: a convex problem needs no learning rate."""

import logging
import warnings
from typing import Any, NamedTuple

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

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation tried, on standardised features; from much to little."""
_UNTRIED_STRENGTH = 1e-2
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

    The strength is the one with the lowest loss, whatever the run is monitored by: accuracies of a few hundred pictures
    differ by chance, and a head that is sure of everything is a bad start for all layers.

    Args:
        head: From features (F) to classes (K).
        train: Features (V, N, F) of V views and targets (N,), in which every class occurs.
        validation: Features (1, N, F) and targets, by which the regularisation is chosen. Where there are none or fewer
            than 200, it is chosen by cross-validation on the train features of one view instead, if each class has two
            pictures or more; where there is no other way, it is 0.01.
        balanced: Weigh classes inversely to their frequency.
    """
    features, targets = _to_numpy(train[0]), np.tile(train[1], len(train[0]))
    mean, scale = _measure_features(features)
    can_leave_out = len(train[0]) == 1 and np.bincount(targets).min() > 1
    if can_leave_out and (validation is None or len(validation[1]) < _FEW_VALIDATION):
        strength = cross_validate(features, targets, balanced=balanced).strength
    elif validation is not None:
        held_out = (_to_numpy(validation[0]) - mean) / scale, validation[1]
        strength = _search([((features - mean) / scale, targets, *held_out)], balanced=balanced).strength
    else:
        strength = _UNTRIED_STRENGTH
    model = _build_model(balanced=balanced)
    _fit(model, strength, (features - mean) / scale, targets)
    logger.info("the head is solved for with regularisation 1/C, C = %g%s", strength, _describe_end(model))
    weight = model.coef_ / scale
    _set_layer(head.layers[-1], weight, model.intercept_ - weight @ mean)
    return strength


class ProbeScore(NamedTuple):
    """The strength with the lowest loss on pictures left out of the fit, that loss, and the accuracy there."""

    strength: float
    loss: float
    accuracy: float


def cross_validate(features: Numbers, targets: npt.NDArray[np.int64], *, balanced: bool = False) -> ProbeScore:
    """Score logistic regression on features (N, F) by leaving out each picture once, in three parts.

    Args:
        features: As the backbone gives them.
        targets: Class indices (N,), in which every class occurs twice or more.
        balanced: As for `solve_head`.
    """
    num_folds = min(_FOLDS, int(np.bincount(targets).min()))
    mean, scale = _measure_features(features)
    features = (features - mean) / scale
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=0).split(features, targets)
    return _search(
        [(features[fitted], targets[fitted], features[out], targets[out]) for fitted, out in folds], balanced=balanced
    )


def _search(
    parts: list[tuple[Numbers, npt.NDArray[np.int64], Numbers, npt.NDArray[np.int64]]], *, balanced: bool
) -> ProbeScore:
    """Try strengths from much regularisation to little, until the loss rises: what comes then takes long and is worse.

    Each part has features and targets to fit, and others to score the fit by.
    """
    models = [_build_model(balanced=balanced) for _ in parts]
    best: ProbeScore | None = None
    for strength in STRENGTHS:
        losses, hits = [], []
        for model, (features, targets, left_out, truth) in zip(models, parts, strict=True):
            _fit(model, strength, features, targets)
            probabilities = model.predict_proba(left_out).astype(np.float64)
            losses.append(-np.log(probabilities[np.arange(len(truth)), truth].clip(_MIN_PROBABILITY)))
            hits.append(probabilities.argmax(axis=1) == truth)
        found = ProbeScore(strength, float(np.concatenate(losses).mean()), float(np.concatenate(hits).mean()))
        logger.info(
            "C = %g: loss %.4f accuracy %.1f%% on pictures left out", strength, found.loss, 100 * found.accuracy
        )
        if best is not None and found.loss >= best.loss:
            break
        best = found
    if best is None:
        raise ValueError("expected a strength to try, got none")
    return best


def _fit(model: LogisticRegression, strength: float, features: Numbers, targets: npt.NDArray[np.int64]) -> None:
    """Solve for one strength, starting from the solution before."""
    model.C = strength
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the log, where it matters
        model.fit(features, targets)


def _describe_end(model: LogisticRegression) -> str:
    return ", not quite to the end" if model.n_iter_.max() >= _MAX_ITERATIONS else ""


def _build_model(*, balanced: bool) -> LogisticRegression:
    return LogisticRegression(max_iter=_MAX_ITERATIONS, warm_start=True, class_weight="balanced" if balanced else None)


def _measure_features(features: Numbers) -> tuple[Numbers, Numbers]:
    return features.mean(axis=0), features.std(axis=0) + 1e-6


def _set_layer(layer: nn.Module, weight: Numbers, bias: Numbers) -> None:
    if len(weight) == 1:
        # For two classes there is one row, the difference of both; half each gives the same probabilities.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"the head ends in {type(layer).__name__}")
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))


def _to_numpy(features: Tensor) -> Numbers:
    return features.flatten(0, 1).float().numpy()
