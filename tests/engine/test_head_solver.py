import logging

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.engine.head_solver import STRENGTHS, solve_head
from discern.errors import ConfigError
from discern.models.heads import LinearHead
from fitting import SMALL, build_fit


def draw_features(num_classes, seed, count=90, length=12):
    rng = np.random.default_rng(seed)
    targets = np.arange(count) % num_classes
    centres = np.random.default_rng(0).normal(size=(num_classes, length))
    scales = np.geomspace(0.01, 100, length)  # no feature as large as another, as in real networks
    features = (centres[targets] + rng.normal(size=(count, length))) * scales + 5
    return torch.from_numpy(features).float()[None], targets


@pytest.mark.parametrize("num_classes", [2, 4])
def test_the_solution_has_no_slope(num_classes):
    """By autograd: the regularised loss on standardised features is flat where the solver stopped."""
    features, targets = draw_features(num_classes, seed=1)
    head = LinearHead(12, num_classes)
    strength = solve_head(head, (features, targets), None, balanced=False)
    scale, mean = features[0].double().std(dim=0, correction=0), features[0].double().mean(dim=0)
    layer = head.layers[-1]
    weight = (layer.weight.detach().double() * scale).requires_grad_()
    bias = (layer.bias.detach().double() + layer.weight.detach().double() @ mean).requires_grad_()
    logits = (features[0].double() - mean) / scale @ weight.T + bias
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(targets), reduction="sum")
    # Two classes share one row of weights between them, so that its penalty is that of the difference.
    penalty = (weight[1] - weight[0]).square().sum() if num_classes == 2 else weight.square().sum()
    (strength * loss + penalty / 2).backward()
    # scikit-learn stops at a slope of 1e-4 for each picture and unit of strength.
    flat = max(1e-3, 1e-4 * strength * len(targets))
    assert weight.grad.abs().max() < flat
    assert bias.grad.abs().max() < flat


def test_regularisation_is_chosen_by_validation(caplog):
    train, validation = draw_features(3, seed=1, count=30), draw_features(3, seed=2, count=240)
    losses = {}
    for strength in STRENGTHS:
        head = LinearHead(12, 3)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("discern.engine.head_solver.STRENGTHS", (strength,))
            solve_head(head, train, validation, balanced=False)
        logits = head(validation[0][0])
        losses[strength] = torch.nn.functional.cross_entropy(logits, torch.from_numpy(validation[1])).item()
    with caplog.at_level(logging.DEBUG, "discern"):
        chosen = solve_head(LinearHead(12, 3), train, validation, balanced=False)
    assert losses[chosen] == pytest.approx(min(losses.values()), rel=1e-3)
    assert "on held-out pictures" in caplog.text


@pytest.mark.parametrize("validation", [None, draw_features(3, seed=2, count=30)])
def test_without_enough_validation_regularisation_is_cross_validated(caplog, validation):
    """scikit-learn's own search over the same folds chooses the same."""
    features, targets = draw_features(3, seed=1, count=60)
    scaled = (features[0] - features[0].mean(dim=0)) / features[0].std(dim=0, correction=0)
    grid = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": STRENGTHS},
        scoring="neg_log_loss",
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
    ).fit(scaled.numpy(), targets)
    with caplog.at_level(logging.DEBUG, "discern"):
        chosen = solve_head(LinearHead(12, 3), (features, targets), validation, balanced=False)
    assert chosen == grid.best_params_["C"]
    assert "on held-out pictures" in caplog.text


def test_a_class_of_one_picture_cannot_be_cross_validated(caplog):
    features, targets = draw_features(3, seed=1, count=7)
    targets[-1] = 3
    with caplog.at_level(logging.DEBUG, "discern"):
        strength = solve_head(LinearHead(12, 4), (features, targets), None, balanced=False)
    assert strength == 1e-2
    assert "held-out" not in caplog.text
    with caplog.at_level(logging.DEBUG, "discern"):
        solve_head(LinearHead(12, 4), (features, targets), draw_features(3, seed=2), balanced=False)
    assert "on held-out pictures" in caplog.text


def test_a_phase_is_solved_at_once(photos):
    table = split_table(load_table(photos), fractions=(0.6, 0.4, 0.0), seed=0)[0]
    solved = build_fit(table, "transfer", [*SMALL, "head_solver=lbfgs"])
    result = solved.run()
    assert len(result.rows) == 1
    learned = build_fit(table, "transfer", [*SMALL, "training.phases.*.epochs=2", "augment=none"]).run()
    assert result.rows[0].train_loss < learned.best.train_loss


def test_an_average_of_weights_does_not_hide_the_solution(photos, caplog):
    table = split_table(load_table(photos), fractions=(0.6, 0.4, 0.0), seed=0)[0]
    plain = build_fit(table, "transfer", [*SMALL, "head_solver=lbfgs"]).run()
    overrides = [*SMALL, "head_solver=lbfgs", "training.ema_decay=0.99", "training.label_smoothing=0.1"]
    with caplog.at_level(logging.DEBUG, "discern"):
        averaged = build_fit(table, "transfer", overrides).run()
    assert averaged.rows[0].validation_loss == pytest.approx(plain.rows[0].validation_loss)
    assert "head_solver=lbfgs ignores label_smoothing" in caplog.text


def test_only_a_linear_head_alone_can_be_solved_for(photos):
    table = split_table(load_table(photos), fractions=(0.6, 0.4, 0.0), seed=0)[0]
    for overrides in (["head=mlp"], ['training.phases.*.train=["layer4","head"]']):
        with pytest.raises(ConfigError, match=r"lbfgs, which solves for a linear head alone; .*model.head=linear"):
            build_fit(table, "transfer", [*SMALL, "head_solver=lbfgs", *overrides])
