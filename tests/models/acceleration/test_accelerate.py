"""Whole networks with all transformations together give what plain PyTorch gives."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from discern.models.acceleration.accelerate import accelerate_inference, accelerate_training
from discern.models.acceleration.depthwise import speed_up_depthwise
from discern.models.acceleration.folding import fold_frozen_batchnorm
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from norms import scramble_all

NAMES = [
    "resnet18",
    "resnet50",
    "timm:mobilenetv2_100",
    "timm:tf_efficientnet_lite0",
    "timm:mobilenetv3_small_100",
    "timm:resnet10t",
]
CPU = torch.device("cpu")


class Learned(NamedTuple):
    """What one forward and backward pass gives."""

    logits: Tensor
    gradients: dict[str, Tensor]


def build(name: str, *, frozen_batchnorm: bool) -> Classifier:
    """A classifier with nothing random in it, whose BatchNorms have seen something."""
    torch.manual_seed(0)
    backbone = build_backbone(name)
    classifier = Classifier(backbone, LinearHead(backbone.num_features, 3))
    scramble_all(classifier)
    for module in classifier.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    classifier.set_trainable("all", frozen_batchnorm=frozen_batchnorm)
    return classifier.to(memory_format=torch.channels_last).train()


def draw_images(dtype: torch.dtype = torch.float32, *, count: int = 4) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 3, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)


@contextmanager
def autocast(dtype: torch.dtype) -> Iterator[None]:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        yield


def learn(classifier: Classifier, network: nn.Module, images: Tensor, dtype: torch.dtype) -> Learned:
    """Compute logits and gradients of a network that shares the parameters of a classifier."""
    classifier.zero_grad()
    before = {name: buffer.clone() for name, buffer in classifier.named_buffers()}
    with autocast(dtype):
        logits = network(images)
    nn.functional.cross_entropy(logits.to(images.dtype), torch.arange(len(images)) % 3).backward()
    for name, buffer in classifier.named_buffers():
        buffer.copy_(before[name])
    gradients = {name: parameter.grad.detach().clone() for name, parameter in classifier.named_parameters()}
    return Learned(logits.detach().to(images.dtype), gradients)


def measure_distance(one: Learned, other: Learned) -> float:
    """The distance of all gradients as a share of their length."""
    apart = sum(float((one.gradients[name] - given).square().sum()) for name, given in other.gradients.items())
    return (apart / sum(float(given.square().sum()) for given in other.gradients.values())) ** 0.5


@pytest.mark.parametrize("frozen_batchnorm", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_all_of_training_is_exact_in_double_precision(name: str, frozen_batchnorm: bool) -> None:
    classifier = build(name, frozen_batchnorm=frozen_batchnorm).double()
    network = speed_up_depthwise(fold_frozen_batchnorm(classifier) if frozen_batchnorm else classifier)
    images = draw_images(torch.float64)
    expected, found = (learn(classifier, each, images, torch.float64) for each in (classifier, network))
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-9, atol=1e-9)
    for key, gradient in expected.gradients.items():
        torch.testing.assert_close(
            found.gradients[key], gradient, rtol=1e-7, atol=1e-9 * float(gradient.abs().max()) + 1e-12
        )


@pytest.mark.parametrize("name", NAMES)
def test_training_in_float32_gives_the_same_logits_and_gradients(name: str) -> None:
    classifier = build(name, frozen_batchnorm=True)
    network = accelerate_training(classifier, frozen_batchnorm=True, device=CPU, dtype=torch.float32)
    assert network is not classifier
    images = draw_images()
    expected, found = (learn(classifier, each, images, torch.float32) for each in (classifier, network))
    torch.testing.assert_close(found.logits, expected.logits, rtol=1e-4, atol=1e-4 * float(expected.logits.abs().max()))
    # Rounding differs with the instructions of the processor, and a ReLU near zero passes it on; see double precision.
    assert measure_distance(found, expected) <= 1e-3
    for key, gradient in expected.gradients.items():
        assert (found.gradients[key] - gradient).norm() <= 1e-2 * gradient.norm() + 1e-6, key


@pytest.mark.parametrize("frozen_batchnorm", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_training_in_bf16_is_as_near_to_float32_as_plain_pytorch_is(name: str, frozen_batchnorm: bool) -> None:
    classifier = build(name, frozen_batchnorm=frozen_batchnorm)
    network = accelerate_training(classifier, frozen_batchnorm=frozen_batchnorm, device=CPU, dtype=torch.bfloat16)
    images = draw_images()
    exact = learn(classifier, classifier, images, torch.float32)
    plain, found = (learn(classifier, each, images, torch.bfloat16) for each in (classifier, network))
    assert (found.logits - exact.logits).norm() <= 1.3 * (plain.logits - exact.logits).norm()
    assert measure_distance(found, exact) <= 1.3 * measure_distance(plain, exact)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_inference_gives_the_same_logits(name: str, dtype: torch.dtype) -> None:
    classifier = build(name, frozen_batchnorm=False).eval()
    network = accelerate_inference(classifier, device=CPU, dtype=dtype)
    assert network is not classifier
    # As many as it takes for luck in rounding to even out.
    images = draw_images(count=32)
    with torch.inference_mode():
        exact = classifier(images)
        with autocast(dtype):
            plain, found = classifier(images).float(), network(images).float()
    assert (found - exact).norm() <= 1.5 * (plain - exact).norm() + 1e-5 * exact.norm()


def test_building_a_network_changes_none_of_its_layers() -> None:
    for name in ("resnet18", "timm:mobilenetv2_100"):
        for layer in build_backbone(name).modules():
            assert not layer._forward_hooks
            assert not layer._forward_pre_hooks
            assert "_conv_forward" not in vars(layer)
            assert "forward" not in vars(layer)
