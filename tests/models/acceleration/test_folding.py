"""Networks without their BatchNorms compute what they did with them."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from discern.models.acceleration.folding import fold_batchnorm, fold_frozen_batchnorm
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.cutting import cut_classifier
from discern.models.heads import LinearHead
from norms import scramble, scramble_all

NAMES = [
    "resnet18-half",
    "resnet50",
    "timm:resnet18",
    "timm:mobilenetv2_100",
    "timm:mobilenetv3_small_100",
    "timm:efficientnet_b0",
]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def build(name: str, *, stochastic_depth: float = 0.0) -> Classifier:
    """A classifier whose BatchNorms have seen something."""
    backbone = build_backbone(name, stochastic_depth=stochastic_depth)
    classifier = Classifier(backbone, LinearHead(backbone.num_features, 3))
    scramble_all(classifier)
    return classifier


def count_norms(module: nn.Module) -> int:
    return sum(isinstance(part, _BatchNorm) for part in module.modules())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_logits_are_the_same_without_any_batchnorm(name: str, dtype: torch.dtype) -> None:
    classifier = build(name).to(dtype)
    images = torch.randn(2, 3, 32, 32, dtype=dtype)
    folded = fold_batchnorm(classifier.train())
    assert count_norms(folded) == 0 < count_norms(classifier)
    assert not any(module.training for module in folded.modules())
    with torch.inference_mode():
        logits, expected = folded(images), classifier.eval()(images)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-4
    torch.testing.assert_close(logits, expected, rtol=tolerance, atol=tolerance * float(expected.abs().max()))


def test_all_that_is_given_stays_as_it_was() -> None:
    classifier = build("timm:mobilenetv2_100").train()
    before = copy.deepcopy(classifier.state_dict())
    modes = [module.training for module in classifier.modules()]
    folded = fold_batchnorm(classifier)
    for tensor in (*folded.parameters(), *folded.buffers()):
        tensor.add_(1)
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    assert all(parameter.requires_grad for parameter in classifier.parameters())
    assert [module.training for module in classifier.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())


@pytest.mark.parametrize("last_stages", [1, 2])
def test_halves_and_backbones_fold_too(last_stages: int) -> None:
    classifier = build("resnet18-half").eval()
    classifier.set_trainable(classifier.stage_names[-last_stages:])
    halves = cut_classifier(classifier)
    assert halves is not None
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        for module in (halves.frozen, classifier.backbone):
            folded = fold_batchnorm(module)
            assert count_norms(folded) == 0
            torch.testing.assert_close(folded(images), module(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18-half", "timm:mobilenetv2_100"])
def test_memory_format_is_kept(name: str) -> None:
    classifier = build(name).to(memory_format=torch.channels_last)
    weights = [parameter for parameter in fold_batchnorm(classifier).parameters() if parameter.ndim == 4]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert not all(weight.is_contiguous() for weight in weights)


def test_convolutions_with_bias_and_norms_without_scale_fold() -> None:
    norm = nn.BatchNorm2d(6, affine=False)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    module = nn.Sequential(nn.Conv2d(4, 6, 3, groups=2, bias=True), norm).double().eval()
    images = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    folded = fold_batchnorm(module)
    assert count_norms(folded) == 0
    torch.testing.assert_close(folded(images), module(images), rtol=1e-9, atol=1e-9)


class Shared(nn.Module):
    """A convolution whose output goes to two places, and one that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(3)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(3) for _ in range(4)])

    def forward(self, images: Tensor) -> Tensor:
        forked = self.convs[0](images)
        twice = self.norms[1](self.convs[1](self.norms[0](forked) + forked))
        return self.norms[3](self.convs[2](self.norms[2](self.convs[1](twice))))


def test_convolutions_with_another_use_are_left_alone() -> None:
    module = Shared().double().eval()
    for norm in module.norms:
        scramble(norm)
    images = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    folded = fold_batchnorm(module)
    assert count_norms(folded) == 3
    torch.testing.assert_close(folded(images), module(images), rtol=1e-9, atol=1e-9)


def test_norms_that_do_not_follow_a_convolution_stay() -> None:
    classifier = build("timm:densenet121").double().eval()
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    folded = fold_batchnorm(classifier)
    assert 0 < count_norms(folded) < count_norms(classifier)
    torch.testing.assert_close(folded(images), classifier(images), rtol=1e-9, atol=1e-9)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.norm(self.conv(images))
        return maps if maps.sum() > 0 else -maps


class OwnNorm(nn.BatchNorm2d):
    """A BatchNorm that does something more, which only it knows."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        return super().forward(input) * 2


def test_what_cannot_be_folded_comes_back_as_it_is() -> None:
    modules = [
        Branching(),
        nn.Sequential(nn.Conv2d(3, 3, 1), OwnNorm(3)),
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)),
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1)),
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1)), nn.BatchNorm2d(3)),
        build_backbone("timm:convnext_atto"),
    ]
    for module in modules:
        assert fold_batchnorm(module) is module
        assert module.training


@pytest.mark.parametrize("name", NAMES)
def test_training_with_folded_norms_gives_the_same_logits_and_gradients(name: str) -> None:
    classifier = build(name).double()
    classifier.set_trainable("all", frozen_batchnorm=True)
    # Not in this comparison: what is drawn at random.
    for module in classifier.train().modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    before = copy.deepcopy(classifier.state_dict())
    found = []
    for network in (classifier, fold_frozen_batchnorm(classifier)):
        classifier.zero_grad()
        logits = network(images)
        logits.square().sum().backward()
        gradients = {name: parameter.grad.clone() for name, parameter in classifier.named_parameters()}
        found.append((logits.detach(), gradients))
    (expected, gradients), (logits, same) = found
    torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
    for name, gradient in gradients.items():
        torch.testing.assert_close(same[name], gradient, rtol=1e-7, atol=1e-9 * float(gradient.abs().max()) + 1e-12)
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "timm:resnet18", "timm:mobilenetv2_100"])
def test_in_bf16_folded_norms_still_shift_what_they_did_and_learn(name: str) -> None:
    classifier = build(name)
    classifier.set_trainable("all", frozen_batchnorm=True)
    for part in classifier.train().modules():
        if isinstance(part, _BatchNorm):
            nn.init.uniform_(part.bias, 0.5, 1.0)
    images = torch.randn(4, 3, 64, 64)
    exact = classifier(images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = fold_frozen_batchnorm(classifier)(images)
    assert (logits.float() - exact).norm() < 0.05 * exact.norm()
    logits.float().square().sum().backward()
    assert all(parameter.grad is not None for parameter in classifier.parameters())


def test_norms_that_are_folded_for_training_are_not_called() -> None:
    classifier = build("timm:mobilenetv2_100")
    classifier.set_trainable("all", frozen_batchnorm=True)
    norms = [module for module in classifier.modules() if isinstance(module, _BatchNorm)]
    called = []
    for norm in norms:
        norm.register_forward_hook(lambda *_: called.append(1))
    fold_frozen_batchnorm(classifier.train())(torch.randn(2, 3, 32, 32))
    assert called == []
    classifier(torch.randn(2, 3, 32, 32))
    assert len(called) == len(norms)


def test_an_update_of_the_classifier_is_one_of_the_network_that_shares_its_weights() -> None:
    classifier = build("resnet18-half")
    classifier.set_trainable("all", frozen_batchnorm=True)
    network = fold_frozen_batchnorm(classifier.train())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.mul_(1.1)
        torch.testing.assert_close(network(images), classifier(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18-half", "timm:efficientnet_b0"])
def test_layers_that_are_left_out_at_random_are_when_norms_are_folded_for_training(name: str) -> None:
    classifier = build(name, stochastic_depth=0.5).double()
    classifier.set_trainable("all", frozen_batchnorm=True)
    classifier.train()
    network = fold_frozen_batchnorm(classifier)
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    logits = []
    for trained in (classifier, network, network):
        torch.manual_seed(len(logits) // 2)
        logits.append(trained(images).detach())
    torch.testing.assert_close(logits[0], logits[1], rtol=1e-9, atol=1e-12)
    assert not torch.allclose(logits[1], logits[2], rtol=1e-6, atol=1e-12)


def test_a_norm_behind_two_convolutions_is_folded_into_both_for_training() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.norm = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            scramble(self.norm)

        def forward(self, images: Tensor) -> Tensor:
            return self.norm(self.first(images)) + self.norm(self.second(images)).relu()

    module = Twice().eval()
    network = fold_frozen_batchnorm(module)
    images = torch.randn(2, 3, 8, 8)
    assert network is not module
    torch.testing.assert_close(network(images), module(images), rtol=1e-4, atol=1e-4)
