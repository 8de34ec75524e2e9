"""Costs against published numbers, sums done by hand and what autograd really keeps."""

import copy

import pytest
import torch
from torch import Tensor, nn

from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.costs import count_activation_bytes, count_flops
from discern.models.heads import LinearHead


def build(name: str) -> Classifier:
    backbone = build_backbone(name)
    return Classifier(backbone, LinearHead(backbone.num_features, 1000, dropout=0.1))


@pytest.mark.parametrize(
    ("name", "giga_multiply_adds"),
    [
        # torchvision's and timm's tables of their published weights, pictures of 224 pixels.
        ("resnet18", 1.814),
        ("resnet50", 4.089),
        ("resnet101", 7.801),
        ("timm:mobilenetv2_100", 0.301),
        ("timm:convnext_atto", 0.548),
        ("timm:vit_tiny_patch16_224", 1.254),
    ],
)
def test_operations_are_the_published_ones(name: str, giga_multiply_adds: float) -> None:
    assert count_flops(build(name), 224) == pytest.approx(2e9 * giga_multiply_adds, rel=0.01)


def test_operations_and_bytes_of_small_networks_are_those_done_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8 * 100, 5)
    )
    assert count_flops(network, 10) == 2 * (100 * 8 * 3 * 9 + 800 * 5)
    # In-place ReLU overwrites what BatchNorm put out.
    assert count_activation_bytes(network, 10) == 4 * (800 + 800 + 800 + 5)
    assert count_activation_bytes(nn.Identity(), 10) == 0
    assert count_activation_bytes(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Dropout(0.5)), 10) == 4 * 800


def test_bytes_are_those_of_float32_whatever_the_weights_are() -> None:
    classifier = build("resnet18-half")
    assert count_activation_bytes(classifier, 64) == count_activation_bytes(copy.deepcopy(classifier).half(), 64)


def test_both_grow_with_the_area_of_the_picture() -> None:
    backbone = build_backbone("resnet18-half")
    for count in (count_flops, count_activation_bytes):
        assert count(backbone, 128) == pytest.approx(4 * count(backbone, 64), rel=0.01)


@pytest.mark.parametrize("name", ["resnet18-half", "resnet50", "timm:mobilenetv2_100", "timm:convnext_atto"])
def test_bytes_are_about_what_a_backward_pass_needs(name: str) -> None:
    backbone = build_backbone(name).train()
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*backbone.parameters(), *backbone.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        backbone(torch.randn(2, 3, 64, 64))
    really_kept = sum(tensor.untyped_storage().nbytes() for tensor in kept.values()) / 2
    assert 0.65 < count_activation_bytes(backbone, 64) / really_kept < 1.4


def test_counting_leaves_the_network_as_it_was() -> None:
    classifier = build("resnet18-half").train()
    before = copy.deepcopy(classifier.state_dict())
    count_flops(classifier, 64)
    count_activation_bytes(classifier, 64)
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())
    assert all(module.training and not module._forward_hooks for module in classifier.modules())
    assert {parameter.device.type for parameter in classifier.parameters()} == {"cpu"}
