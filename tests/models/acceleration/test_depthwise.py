"""Depthwise convolutions with strides or large kernels give the same on the way that has a fast gradient."""

import copy
from collections.abc import Callable

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from discern.models.acceleration.accelerate import accelerate_training
from discern.models.acceleration.depthwise import speed_up_depthwise
from discern.models.backbone import build_backbone


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [
        (13, 3, 2, 1),
        (12, 3, 2, 0),
        (14, 3, (1, 2), 1),
        (15, 3, 3, 2),
        (9, 5, 1, 2),
        (12, 5, 2, 2),
        (7, 7, 1, 3),
        (11, (4, 7), 1, (0, 2)),
    ],
)
def test_outputs_and_gradients_are_those_of_the_plain_convolution(size, kernel, stride, padding, has_bias):
    torch.manual_seed(0)
    check_same(nn.Conv2d(6, 6, kernel, stride=stride, padding=padding, groups=6, bias=has_bias), size)


@pytest.mark.parametrize(("size", "kernel", "stride"), [(13, 3, 2), (12, 3, 2), (12, 5, 2), (15, 5, (2, 3)), (4, 7, 2)])
def test_padding_by_the_stride_gives_what_timm_gives(size, kernel, stride):
    torch.manual_seed(0)
    check_same(Conv2dSame(6, 6, kernel, stride=stride, groups=6), size)


def check_same(plain: nn.Conv2d, size: int) -> None:
    """Compare with the plain convolution, in float64, where nothing is rounded, and in bfloat16."""
    images = torch.randn(2, 6, size, size).to(memory_format=torch.channels_last)
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.bfloat16, 3e-2)):
        layer = copy.deepcopy(plain)
        other = copy.deepcopy(plain)
        faster = speed_up_depthwise(other)
        assert faster is not other
        results = []
        for network, convolution in ((layer, layer), (faster, other)):
            convolution.to(torch.float64 if dtype == torch.float64 else torch.float32)
            inputs = images.to(convolution.weight.dtype).clone().requires_grad_()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
                outputs = network(inputs)
            outputs.double().square().sum().backward()
            results.append((outputs.double(), inputs.grad, *(each.grad for each in convolution.parameters())))
        for one, two in zip(*results, strict=True):
            torch.testing.assert_close(one, two, rtol=tolerance, atol=tolerance * one.detach().abs().max().item())
    assert other.stride == plain.stride


def test_a_frozen_layer_passes_gradients_on():
    torch.manual_seed(0)
    layer = nn.Conv2d(6, 6, 5, padding=2, groups=6).requires_grad_(False)
    images = torch.randn(2, 6, 9, 9, requires_grad=True)
    speed_up_depthwise(layer)(images).square().sum().backward()
    found, images.grad = images.grad, None
    layer(images).square().sum().backward()
    torch.testing.assert_close(found, images.grad)
    assert layer.weight.grad is None


@pytest.mark.parametrize(
    "option", [{"padding_mode": "reflect", "padding": 1}, {"stride": 1}, {"groups": 1}, {"dilation": 2}]
)
def test_other_convolutions_are_left_alone(option):
    layer = nn.Conv2d(6, 6, 3, **({"stride": 2, "groups": 6} | option))
    assert speed_up_depthwise(layer) is layer


def test_the_convolution_is_as_it_was_after_a_call_and_after_an_error():
    layer = nn.Conv2d(6, 6, 3, stride=2, groups=6)
    spread, before = speed_up_depthwise(layer), dict(vars(layer))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(RuntimeError):
            spread(torch.randn(2, 5, 14, 14))
        assert vars(layer) == before
        assert spread(torch.randn(2, 6, 13, 13)).shape == (2, 6, 6, 6)
    assert vars(layer) == before
    assert spread.eval()(torch.randn(2, 6, 13, 13)).shape == (2, 6, 6, 6)
    assert layer.stride == (2, 2)


def test_a_copy_of_a_network_learns_weights_of_its_own():
    spread = speed_up_depthwise(nn.Conv2d(6, 6, 3, stride=2, groups=6))
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
