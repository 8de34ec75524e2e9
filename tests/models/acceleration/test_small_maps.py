"""Convolutions on small maps give the same by a matrix product."""

import copy

import pytest
import torch
from torch import nn

from discern.models.acceleration.small_maps import quicken_small_maps
from discern.models.backbone import build_backbone


def learn(layer, images):
    inputs = images.clone().requires_grad_()
    layer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = layer(inputs)
    outputs.float().square().sum().backward()
    of_bias = () if layer.bias is None else (layer.bias.grad,)
    return outputs.float(), inputs.grad, layer.weight.grad, *of_bias


def build_pair(stride, *, bias=False):
    torch.manual_seed(0)
    plain = nn.Conv2d(256, 8, 3, stride=stride, padding=1, bias=bias).to(memory_format=torch.channels_last)
    quick = copy.deepcopy(plain)
    quicken_small_maps(quick)
    return plain, quick


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("size", "stride"), [((4, 4), 1), ((8, 8), 2), ((7, 5), 2), ((6, 7), (1, 2)), ((1, 1), 1)])
def test_outputs_and_gradients_are_those_of_the_plain_convolution(size, stride, bias):
    plain, quick = build_pair(stride, bias=bias)
    images = torch.randn(3, 256, *size).to(memory_format=torch.channels_last)
    for one, other in zip(learn(plain, images), learn(quick, images), strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2 * one.detach().abs().max().item())


def test_the_gradient_is_that_of_the_loss_by_its_definition():
    _, quick = build_pair(1)
    images = torch.randn(2, 256, 3, 3)
    *_, gradient = learn(quick, images)
    exact = quick.weight.detach().double().requires_grad_()
    nn.functional.conv2d(images.double(), exact, padding=1).square().sum().backward()
    assert (gradient - exact.grad).norm() < 0.01 * exact.grad.norm()


def test_a_copy_learns_weights_of_its_own():
    _, quick = build_pair(1)
    other = copy.deepcopy(quick)
    learn(other, torch.randn(2, 256, 4, 4))
    assert quick.weight.grad is None
    assert other.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("is_learning", [True, False])
def test_large_maps_and_full_precision_go_the_plain_way(is_learning):
    plain, quick = build_pair(1)
    with torch.set_grad_enabled(is_learning):
        small, large = torch.randn(2, 256, 4, 4), torch.randn(2, 256, 8, 8)
        assert torch.equal(plain(small), quick(small))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = quick(large)
            assert torch.equal(plain(large), outputs)
    assert not is_learning or "Convolution" in type(outputs.grad_fn).__name__


@pytest.mark.parametrize(("name", "count"), [("resnet18", 4), ("resnet50", 3 + 5), ("timm:resnet18", 4)])
def test_deep_convolutions_of_networks_learn_so(name, count):
    layers = build_backbone(name).modules()
    assert sum("_conv_forward" in vars(layer) for layer in layers) >= count
