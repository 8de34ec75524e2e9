"""Muon against timm's and against the singular value decomposition."""

import pytest
import torch
from timm.optim.muon import Muon as TimmMuon
from torch import Tensor, nn

from discern.engine.muon import Muon, is_matrix, orthogonalize


def build_matrix(rows: int, columns: int, values: Tensor) -> Tensor:
    """A matrix with given singular values (min(rows, columns),)."""
    left = torch.linalg.qr(torch.randn(rows, len(values))).Q
    right = torch.linalg.qr(torch.randn(columns, len(values))).Q
    return left * values @ right.T


@pytest.mark.parametrize("shape", [(64, 576), (576, 64), (10, 512), (64, 27), (128, 128)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_singular_values_become_about_one_and_directions_stay(shape, dtype):
    torch.manual_seed(0)
    matrix = build_matrix(*shape, torch.logspace(0, -1.5, min(shape)))
    turned = orthogonalize(matrix.to(dtype)).float()
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert (turned - left @ right).norm() < 0.15 * (left @ right).norm()
    assert orthogonalize(matrix.to(dtype)).dtype == dtype


@pytest.mark.parametrize("smallest", [-3, -7])
@pytest.mark.parametrize("size", [1e-12, 1, 1e9])
@pytest.mark.parametrize("shape", [(64, 27), (10, 512), (256, 2304)])
def test_rounding_in_bf16_never_grows(shape, size, smallest):
    torch.manual_seed(0)
    matrix = build_matrix(*shape, size * torch.logspace(0, smallest, min(shape)))
    assert torch.linalg.matrix_norm(orthogonalize(matrix.bfloat16()).float(), 2) < 1.35


def test_nothing_is_turned_to_nothing():
    assert orthogonalize(torch.zeros(8, 20)).abs().max() == 0


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_steps_are_those_of_timm(layout):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16)).to(memory_format=layout)
    expected = nn.Sequential(nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16))
    expected.load_state_dict(network.state_dict())
    matrices = [parameter for parameter in network.parameters() if is_matrix(parameter)]
    others = [parameter for parameter in network.parameters() if not is_matrix(parameter)]
    groups = [{"params": matrices, "orthogonalized": True, "weight_decay": 0.1}, {"params": others}]
    optimizer = Muon(groups, lr=0.01, momentum=0.9, dtype=torch.float32)
    decayed = [parameter for parameter in expected.parameters() if parameter.ndim > 1]
    rest = [parameter for parameter in expected.parameters() if parameter.ndim == 1]
    theirs = TimmMuon(
        [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
        lr=0.01,
        momentum=0.9,
        betas=(0.9, 0.999),
    )
    for _ in range(3):
        for mine, other in zip(network.parameters(), expected.parameters(), strict=True):
            other.grad = torch.randn_like(other)
            mine.grad = other.grad.clone(memory_format=torch.preserve_format)
        before = [parameter.detach().clone() for parameter in network.parameters()]
        optimizer.step()
        theirs.step()
    for mine, other, former in zip(network.parameters(), expected.parameters(), before, strict=True):
        # timm iterates in bf16.
        moved = (mine - former).norm()
        assert (mine - other).norm() < 0.1 * moved


def test_norms_biases_and_depthwise_convolutions_are_no_matrices():
    kinds = {
        nn.Conv2d(3, 16, 3): True,
        nn.Conv2d(16, 16, 3, groups=16): False,
        nn.Linear(64, 10): True,
        nn.Linear(64, 2): False,
        nn.BatchNorm2d(4): False,
    }
    assert [is_matrix(module.weight) for module in kinds] == list(kinds.values())
