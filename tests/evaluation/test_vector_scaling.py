import numpy as np
import pytest
import torch
from scipy.special import softmax

from discern.evaluation.vector_scaling import fit_vector_scaling


def draw(count, seed, scales, biases):
    """Draw targets from true logits, and logits from which only those scales and biases lead back to them."""
    rng = np.random.default_rng(seed)
    true = 2 * rng.normal(size=(count, len(scales)))
    targets = (softmax(true, axis=1).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return (true - biases) / scales, targets


CROOKED = np.array([0.5, 1.0, 2.0]), np.array([0.0, -2.0, 2.0])


def test_scales_and_biases_are_found():
    logits, targets = draw(8000, 0, *CROOKED)
    found = fit_vector_scaling(logits, targets)
    assert found.scales == pytest.approx(CROOKED[0], rel=0.15)
    assert found.biases - found.biases.mean() == pytest.approx(CROOKED[1], abs=0.25)


def test_it_is_the_minimum_that_torch_finds_too():
    logits, targets = draw(200, 1, *CROOKED)
    log_scales, biases = (torch.zeros(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.LBFGS([log_scales, biases], line_search_fn="strong_wolfe", max_iter=200)

    def compute_cost():
        optimizer.zero_grad()
        scaled = torch.from_numpy(logits) * log_scales.exp() + biases
        loss = torch.nn.functional.cross_entropy(scaled, torch.from_numpy(targets), reduction="sum")
        cost = loss + (log_scales.square().sum() + biases.square().sum()) / 2
        cost.backward()
        return cost

    optimizer.step(compute_cost)
    found = fit_vector_scaling(logits, targets)
    assert found.scales == pytest.approx(log_scales.exp().detach().numpy(), rel=1e-2)
    assert found.biases == pytest.approx(biases.detach().numpy(), abs=1e-2)
