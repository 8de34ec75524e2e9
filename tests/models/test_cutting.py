"""A classifier in two computes and learns what it does in one."""

import copy

import pytest
import torch
from torch import Tensor, nn

from discern.models.backbone import Backbone, BackboneFacts, build_backbone
from discern.models.classifier import Classifier
from discern.models.cutting import Halves, cut_classifier
from discern.models.heads import LinearHead, MlpHead

CUTS = [
    ("resnet18-half", 1),
    ("resnet50", 1),
    ("resnet18-half", 2),
    ("resnet18-half", 4),
    ("resnet18-half", 5),
    ("resnet50", 2),
    ("resnet50", 4),
    ("timm:resnet18", 2),
    ("timm:mobilenetv2_100", 1),
    ("timm:mobilenetv2_100", 3),
    ("timm:efficientnet_b0", 4),
    ("timm:convnext_atto", 2),
    ("timm:densenet121", 2),
    ("timm:test_vit", 2),
    ("timm:test_vit", 4),
    ("timm:test_vit2", 3),
    ("timm:eva02_tiny_patch14_224", 2),
]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def side_of(name: str) -> int:
    """The side of its pictures: a network with patches of 14 pixels does not take 32."""
    return 28 if "patch14" in name else 32


def build(name: str, last_stages: int, **options: float) -> Classifier:
    """A classifier whose last stages train, with dropout in its head."""
    backbone = build_backbone(name, image_size=side_of(name), **options)
    classifier = Classifier(backbone, MlpHead(backbone.num_features, 3, hidden_features=(8,), dropout=0.3))
    classifier.set_trainable(classifier.stage_names[-last_stages:])
    return classifier


def cut(classifier: Classifier) -> Halves:
    halves = cut_classifier(classifier)
    assert halves is not None
    return halves


def gradients_of(classifier: Classifier) -> dict[str, Tensor]:
    return {name: parameter.grad for name, parameter in classifier.named_parameters() if parameter.grad is not None}


def assert_equal(tensors: dict[str, Tensor], others: dict[str, Tensor]) -> None:
    assert set(tensors) == set(others)
    assert [name for name, tensor in tensors.items() if not torch.equal(tensor, others[name])] == []


@pytest.mark.parametrize(("name", "last_stages"), CUTS)
def test_halves_in_a_row_are_the_classifier(name: str, last_stages: int) -> None:
    classifier = build(name, last_stages).eval()
    images = torch.randn(2, 3, side_of(name), side_of(name))
    halves = cut(classifier)
    with torch.inference_mode():
        maps = halves.frozen(images)
        kept = maps.clone()
        assert torch.equal(halves.trained(maps), classifier(images))
    assert torch.equal(maps, kept), "what was computed once must be usable again"


@pytest.mark.parametrize(("name", "last_stages"), CUTS)
def test_training_the_second_half_trains_the_classifier(name: str, last_stages: int) -> None:
    classifier = build(name, last_stages)
    uncut = copy.deepcopy(classifier)
    images, targets = torch.randn(4, 3, side_of(name), side_of(name)) * 2 + 1, torch.tensor([0, 1, 2, 0])
    halves = cut(classifier.train())

    def step(model: Classifier, logits: Tensor) -> None:
        nn.functional.cross_entropy(logits, targets).backward()
        torch.optim.SGD([parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.1).step()

    torch.manual_seed(1)
    step(classifier, halves.trained(halves.frozen(images)))
    torch.manual_seed(1)
    step(uncut, uncut.train()(images))
    assert gradients_of(classifier)
    assert_equal(gradients_of(classifier), gradients_of(uncut))
    assert_equal(classifier.state_dict(), uncut.state_dict())


@pytest.mark.parametrize(("name", "last_stages"), CUTS)
def test_halves_share_their_parameters_and_leave_the_classifier_as_it_was(name: str, last_stages: int) -> None:
    classifier = build(name, last_stages)
    before = copy.deepcopy(classifier.state_dict())
    modes = [module.training for module in classifier.modules()]
    attributes = {name: set(vars(module)) for name, module in classifier.named_modules()}
    halves = cut(classifier)
    assert_equal(classifier.state_dict(), before)
    assert [module.training for module in classifier.modules()] == modes
    assert {name: set(vars(module)) for name, module in classifier.named_modules()} == attributes

    parts = [{id(parameter) for parameter in half.parameters()} for half in halves]
    assert parts[0].isdisjoint(parts[1])
    assert parts[0] | parts[1] == {id(parameter) for parameter in classifier.parameters()}
    assert parts[1] == {id(parameter) for parameter in classifier.parameters() if parameter.requires_grad}


@pytest.mark.parametrize("name", ["resnet18-half", "timm:convnext_atto"])
def test_random_branches_are_drawn_in_the_second_half_alone(name: str) -> None:
    classifier = build(name, 2, stochastic_depth=0.5).train()
    images = torch.randn(8, 3, 32, 32)
    halves = cut(classifier)
    maps = halves.frozen(images)
    assert torch.equal(halves.frozen(images), maps)
    assert not torch.equal(halves.trained(maps), halves.trained(maps))
    classifier.eval()
    assert torch.equal(halves.trained(maps), halves.trained(maps))


@pytest.mark.parametrize(
    ("name", "trained", "late"),
    [
        ("timm:test_vit", ["blocks.4", "blocks.5", "head"], {"blocks.4", "blocks.5"}),
        ("resnet50", "layer4.2", {"layer4.2"}),
    ],
)
def test_a_stage_is_cut_between_its_blocks(name: str, trained: str | list[str], late: set[str]) -> None:
    classifier = build(name, 1)
    classifier.set_trainable(trained)
    classifier.eval()
    images = torch.randn(2, 3, 32, 32)
    halves = cut(classifier)
    assert torch.equal(halves.trained(halves.frozen(images)), classifier(images))
    halves.trained(halves.frozen(images)).sum().backward()
    trained_blocks = {
        ".".join(name.split(".")[2:4]) for name in gradients_of(classifier) if name.startswith("backbone")
    }
    assert trained_blocks - {"norm.weight", "norm.bias"} == late
    frozen = {".".join(name.split(".")[2:4]) for name, _ in halves.frozen.named_parameters()}
    assert not frozen & late


def test_everything_before_the_first_trainable_stage_is_cut_off() -> None:
    classifier = build("resnet18-half", 2)
    classifier.set_trainable(["layer2", "head"])
    images = torch.randn(2, 3, 32, 32)
    halves = cut(classifier.train())
    assert halves.frozen(images).shape == (2, 32, 8, 8)
    halves.trained(halves.frozen(images)).sum().backward()
    stages = {name.split(".")[2] for name in gradients_of(classifier) if name.startswith("backbone")}
    assert stages == {"layer2"}
    assert not classifier.backbone.network.layer3.training


@pytest.mark.parametrize("trainable", ["all", ["stem", "head"], []])
def test_nothing_is_cut_off_where_the_stem_or_nothing_trains(trainable: str | list[str]) -> None:
    classifier = build("resnet18-half", 1)
    classifier.set_trainable(trainable)
    assert cut_classifier(classifier) is None


class Chain(Backbone):
    """A backbone of three linear stages and whatever a test does between them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__("chain", network, BackboneFacts(), num_features=4)

    def forward_map(self, images: Tensor) -> Tensor:
        return images

    def pool_map(self, feature_map: Tensor) -> Tensor:
        return feature_map

    def stages(self) -> dict[str, tuple[str, ...]]:
        return {"stem": ("network.first",), "layer1": ("network.second",), "layer2": ("network.third",)}

    def parameter_depths(self) -> dict[str, int]:
        return {name: place // 2 for place, (name, _) in enumerate(self.named_parameters())}


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        return self.third(self.second(self.first(images)))


class Skipping(Plain):
    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images)
        return self.third(self.second(first)) + first


class Branching(Plain):
    def forward(self, images: Tensor) -> Tensor:
        hidden = self.second(self.first(images))
        return self.third(hidden if hidden.sum() > 0 else -hidden)


class FunctionalDropout(Plain):
    def forward(self, images: Tensor) -> Tensor:
        hidden = nn.functional.dropout(self.first(images), 0.5, training=self.training)
        return self.third(self.second(hidden))


class Alternating(Plain):
    def forward(self, images: Tensor) -> Tensor:
        hidden = self.first(images)
        return self.third(self.second(hidden * 2 if self.training else hidden))


class Constant(Plain):
    def forward(self, images: Tensor) -> Tensor:
        return self.third(self.second(self.first(images) + torch.arange(4)))


class Dropping(Plain):
    def forward(self, images: Tensor) -> Tensor:
        return self.third(self.second(self.dropout(self.first(images))))


def chain(network: nn.Module, trainable: list[str]) -> Classifier:
    classifier = Classifier(Chain(network), LinearHead(4, 2))
    classifier.set_trainable(trainable)
    return classifier


@pytest.mark.parametrize("network", [Skipping, Branching, FunctionalDropout, Alternating, Constant])
def test_networks_that_cannot_be_cut_there_are_left_whole(network: type[Plain]) -> None:
    classifier = chain(network(), ["layer2", "head"])
    attributes = set(vars(classifier.backbone.network))
    assert cut_classifier(classifier) is None
    assert set(vars(classifier.backbone.network)) == attributes


def test_head_alone_is_cut_off_even_so() -> None:
    classifier = chain(Branching(), ["head"])
    halves = cut(classifier)
    assert halves == (classifier.backbone, classifier.head)


def test_shortcut_that_begins_at_the_cut_crosses_it_once() -> None:
    classifier = chain(Skipping(), ["layer1", "layer2", "head"])
    images = torch.randn(3, 4)
    halves = cut(classifier)
    assert torch.equal(halves.trained(halves.frozen(images)), classifier(images))


def test_dropout_between_the_stages_is_drawn_anew_every_time() -> None:
    classifier = chain(Dropping(), ["layer2", "head"]).train()
    images = torch.randn(16, 4)
    halves = cut(classifier)
    maps = halves.frozen(images)
    assert torch.equal(maps, halves.frozen(images))
    assert not torch.equal(halves.trained(maps), halves.trained(maps))
    classifier.eval()
    assert torch.equal(halves.trained(halves.frozen(images)), classifier(images))
