"""Strided depthwise convolutions give the same when they compute every position and keep some."""

import copy
from collections.abc import Callable

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from discern.models.acceleration.accelerate import accelerate_training
from discern.models.acceleration.strided_depthwise import spread_strided_depthwise
from discern.models.backbone import build_backbone


@pytest.mark.parametrize(("size", "stride", "padding"), [(13, 2, 1), (12, 2, 0), (14, (1, 2), 1), (15, 3, 2)])
def test_outputs_and_gradients_are_those_of_the_plain_convolution(size, stride, padding):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, 3, stride=stride, padding=padding, groups=6)
    layer = nn.Conv2d(6, 6, 3, stride=stride, padding=padding, groups=6)
    layer.load_state_dict(plain.state_dict())
    spread = spread_strided_depthwise(layer)
    assert spread is not layer
    images = torch.randn(2, 6, size, size).to(memory_format=torch.channels_last)
    results = []
    for network, convolution in ((plain, plain), (spread, layer)):
        inputs = images.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = network(inputs)
        outputs.float().square().sum().backward()
        results.append((outputs.float(), inputs.grad, convolution.weight.grad, convolution.bias.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=3e-2, atol=3e-2 * one.detach().abs().max().item())
    assert layer.stride == plain.stride


def test_a_convolution_that_pads_by_its_stride_is_left_alone():
    torch.manual_seed(0)
    plain = Conv2dSame(6, 6, 3, stride=2, groups=6)
    assert spread_strided_depthwise(plain) is plain


@pytest.mark.parametrize("option", [{"padding_mode": "reflect", "padding": 1}, {"stride": 1}, {"groups": 1}])
def test_other_convolutions_are_left_alone(option):
    layer = nn.Conv2d(6, 6, 3, **({"stride": 2, "groups": 6} | option))
    assert spread_strided_depthwise(layer) is layer


def test_the_convolution_is_as_it_was_after_a_call_and_after_an_error():
    layer = nn.Conv2d(6, 6, 3, stride=2, groups=6)
    spread, before = spread_strided_depthwise(layer), dict(vars(layer))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(RuntimeError):
            spread(torch.randn(2, 5, 14, 14))
        assert vars(layer) == before
        assert spread(torch.randn(2, 6, 13, 13)).shape == (2, 6, 6, 6)
    assert vars(layer) == before
    assert spread.eval()(torch.randn(2, 6, 13, 13)).shape == (2, 6, 6, 6)
    assert layer.stride == (2, 2)


def test_a_copy_of_a_network_learns_weights_of_its_own():
    spread = spread_strided_depthwise(nn.Conv2d(6, 6, 3, stride=2, groups=6))
    other = copy.deepcopy(spread)
    other(torch.randn(2, 6, 13, 13)).sum().backward()
    assert spread.network.weight.grad is None
    assert other.network.weight.grad is not None


class DepthwiseStrides(TorchDispatchMode):
    """Notes the stride of every depthwise convolution that is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.convolution.default and args[8] > 1:
            self.seen.append(tuple(args[3]))
        return function(*args, **(kwargs or {}))


def count_strided(call: Callable[[], object]) -> int:
    """Count the depthwise convolutions that are computed with a stride."""
    with DepthwiseStrides() as strides, torch.autocast("cpu", dtype=torch.bfloat16):
        call()
    assert len(strides.seen) == 17
    return strides.seen.count((2, 2))


def test_nothing_is_done_where_nothing_is_learned_or_precision_is_full():
    network = build_backbone("timm:mobilenetv2_100").network
    images = torch.randn(2, 3, 64, 64)
    cpu = torch.device("cpu")
    full, half = (
        accelerate_training(network, frozen_batchnorm=False, device=cpu, dtype=dtype)
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert full is network
    assert accelerate_training(network, frozen_batchnorm=True, device=torch.device("cuda"), dtype=torch.bfloat16) is (
        network
    )
    assert count_strided(lambda: half(images)) == 0
    assert count_strided(lambda: network(images)) == 4
    with torch.no_grad():
        assert count_strided(lambda: half(images)) == 4
    network.requires_grad_(False)
    assert count_strided(lambda: half(images)) == 4
