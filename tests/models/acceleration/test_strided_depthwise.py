"""Strided depthwise convolutions give the same with and without the detour."""

import copy

import pytest
import torch
from timm.layers import Conv2dSame
from torch import nn

from discern.models.acceleration.strided_depthwise import quicken_gradients
from discern.models.backbone import build_backbone


@pytest.mark.parametrize(("size", "stride", "padding"), [(13, 2, 1), (12, 2, 0), (14, (1, 2), 1), (15, 3, 2)])
def test_outputs_and_gradients_are_those_of_the_plain_convolution(size, stride, padding):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, 3, stride=stride, padding=padding, groups=6)
    quick = nn.Conv2d(6, 6, 3, stride=stride, padding=padding, groups=6)
    quick.load_state_dict(plain.state_dict())
    quicken_gradients(quick)
    images = torch.randn(2, 6, size, size).to(memory_format=torch.channels_last)
    results = []
    for layer in (plain, quick):
        inputs = images.clone().requires_grad_()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = layer(inputs)
        outputs.float().square().sum().backward()
        results.append((outputs.float(), inputs.grad, layer.weight.grad, layer.bias.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=3e-2, atol=3e-2 * one.detach().abs().max().item())
    assert quick.stride == plain.stride


def test_a_convolution_that_pads_by_its_stride_is_left_alone():
    torch.manual_seed(0)
    plain = Conv2dSame(6, 6, 3, stride=2, groups=6)
    quick = copy.deepcopy(plain)
    quicken_gradients(quick)
    images = torch.randn(2, 6, 14, 14)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(plain(images), quick(images))


def test_the_stride_is_back_after_an_error():
    quick = nn.Conv2d(6, 6, 3, stride=2, groups=6)
    quicken_gradients(quick)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.raises(RuntimeError):
            quick(torch.randn(2, 5, 14, 14))
        assert quick(torch.randn(2, 6, 13, 13)).shape == (2, 6, 6, 6)
    assert quick.eval()(torch.randn(2, 6, 13, 13)).shape == (2, 6, 6, 6)
    assert quick.stride == (2, 2)


def test_nothing_is_done_where_nothing_is_learned_or_precision_is_full():
    network = build_backbone("timm:mobilenetv2_100").network
    strided = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.groups > 1]
    seen = []
    for layer in strided:
        layer.register_forward_pre_hook(lambda layer, _: seen.append(layer.stride))
    images = torch.randn(2, 3, 64, 64)
    network.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network(images)
    network.train()(images)
    assert seen.count((2, 2)) == 2 * 4
    with torch.autocast("cpu", dtype=torch.bfloat16):
        network(images)
    assert seen.count((2, 2)) == 2 * 4
