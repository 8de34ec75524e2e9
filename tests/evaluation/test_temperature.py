import numpy as np
import pytest
import torch
from scipy.special import softmax

from discern.evaluation.calibration import compute_ece, compute_gaps
from discern.evaluation.temperature import fit_temperature


def draw(count, boast, seed=0, num_classes=5):
    """Draw targets from the softmax of logits, and logits that boast by a factor."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, num_classes))
    probabilities = softmax(logits, axis=1)
    targets = (probabilities.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return boast * logits, targets


@pytest.mark.parametrize("boast", [0.3, 1.0, 4.0])
def test_a_factor_on_the_logits_is_found(boast):
    logits, targets = draw(4000, boast)
    assert fit_temperature(logits, targets) == pytest.approx(boast, rel=0.08)


def test_it_is_the_minimum_that_torch_finds_too():
    logits, targets = draw(300, 2.5)
    log_temperature = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], line_search_fn="strong_wolfe")

    def compute_cost():
        optimizer.zero_grad()
        scaled = torch.from_numpy(logits) / log_temperature.exp()
        loss = torch.nn.functional.cross_entropy(
            scaled, torch.from_numpy(targets), reduction="sum", label_smoothing=1 / (len(targets) + 1)
        )
        cost = loss + (log_temperature / 0.5).square().sum() / 2
        cost.backward()
        return cost

    for _ in range(20):
        optimizer.step(compute_cost)
    assert fit_temperature(logits, targets) == pytest.approx(log_temperature.exp().item(), rel=1e-3)


def test_it_mends_the_calibration_of_pictures_it_has_not_seen():
    logits, targets = draw(2000, 3.0, seed=1)
    unseen, their_targets = draw(2000, 3.0, seed=2)
    temperature = fit_temperature(logits, targets)
    before, after = (
        compute_ece(compute_gaps(their_targets, softmax(unseen / value, axis=1)).mean(axis=0))
        for value in (1.0, temperature)
    )
    assert before > 0.1
    assert after < 0.03


def test_a_few_pictures_that_are_all_right_do_not_ask_for_certainty():
    logits = np.eye(3) * 2
    assert 0.8 < fit_temperature(logits, np.arange(3)) < 1
    assert fit_temperature(np.tile(logits, (12, 1)), np.tile(np.arange(3), 12)) > 0.4


def test_no_pictures_are_refused():
    with pytest.raises(ValueError, match="no pictures"):
        fit_temperature(np.empty((0, 3)), np.empty(0, dtype=np.int64))
