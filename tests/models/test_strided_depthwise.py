"""Strided depthwise convolutions give the same with and without the detour."""

import pytest
import torch
from torch import nn

from discern.models.backbone import build_backbone
from discern.models.strided_depthwise import quicken_gradients


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
