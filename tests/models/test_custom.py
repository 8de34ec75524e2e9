"""Networks of users: their own weights, stages by their own structure, and what is said where they do not fit."""

import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.acceleration.folding import fold_batchnorm
from discern.models.custom import wrap_network
from discern.models.cutting import cut_classifier
from discern.models.heads import LinearHead

CLASSES = 3


def build_flat(num_classes: int = CLASSES) -> nn.Sequential:
    """A network for pictures of 32 pixels only, without pooling."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(8 * 8 * 8, num_classes),
    )


def build_resnet(num_classes: int) -> nn.Module:
    return torchvision.models.resnet18(num_classes=num_classes)


NETWORKS = {
    "module": lambda: (build_resnet(CLASSES), 64),
    "sequential": lambda: (build_flat(), 32),
    "function": lambda: (build_resnet, 64),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(params=NETWORKS)
def wrapped(request):
    network, size = NETWORKS[request.param]()
    return wrap_network(network, CLASSES, image_size=size)


def draw(classifier) -> Tensor:
    size = classifier.backbone.image_size
    return torch.randn(4, 3, size, size)


@pytest.mark.parametrize("build", [lambda: (build_resnet(CLASSES), 64), lambda: (build_flat(), 32)])
def test_logits_are_those_of_the_users_network(build):
    network, size = build()
    classifier = wrap_network(network, CLASSES, image_size=size).eval()
    images = torch.randn(2, 3, size, size)
    torch.testing.assert_close(classifier(images), network.eval()(images))
    assert isinstance(classifier.head, LinearHead)


def test_the_users_object_is_not_changed_by_training():
    network = build_flat().train()
    network[1].eval()
    before, modes = copy.deepcopy(network.state_dict()), [module.training for module in network.modules()]
    classifier = wrap_network(network, CLASSES, image_size=32).train()
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
    classifier(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert isinstance(network[-1], nn.Linear)


def test_every_parameter_and_buffer_is_in_exactly_one_stage(wrapped):
    names = [name for name, _ in (*wrapped.named_parameters(), *wrapped.named_buffers())]
    prefixes = [prefix for stage in wrapped.stages().values() for prefix in stage]
    for name in names:
        assert sum(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes) == 1, name
    depths = wrapped.parameter_depths()
    assert set(depths) == {name for name, _ in wrapped.named_parameters()}
    assert set(depths.values()) == set(range(max(depths.values()) + 1))


def test_stages_are_the_children_with_parameters():
    stages = wrap_network(build_resnet, CLASSES, image_size=64).stages()
    assert list(stages) == ["stem", "layer1", "layer2", "layer3", "layer4", "layer5", "head"]
    assert stages["layer5"] == ("backbone.network.layer4",)
    assert list(wrap_network(build_flat, CLASSES, image_size=32).stages()) == ["stem", "layer1", "layer2", "head"]


def test_what_is_frozen_stays_bit_equal(wrapped):
    wrapped.set_trainable([wrapped.stage_names[-2], "head"])
    before = {name: tensor.clone() for name, tensor in wrapped.state_dict().items()}
    wrapped.train()
    optimizer = torch.optim.AdamW(wrapped.parameters(), lr=0.1)
    nn.functional.cross_entropy(wrapped(draw(wrapped)), torch.arange(4) % CLASSES).backward()
    optimizer.step()
    changed = {name for name, tensor in wrapped.state_dict().items() if not torch.equal(tensor, before[name])}
    trained = tuple(prefix for stage in wrapped.trainable_parts for prefix in wrapped.stages()[stage])
    assert changed
    assert all(name.startswith(trained) for name in changed)


def test_trained_weights_load_into_the_same_argument_again(wrapped):
    other = wrap_network(
        build_resnet if wrapped.backbone.name == "ResNet" else build_flat(),
        CLASSES,
        image_size=(wrapped.backbone.image_size),
    )
    images = draw(wrapped)
    assert not torch.equal(other.eval()(images), wrapped.eval()(images))
    other.load_state_dict(wrapped.state_dict())
    assert torch.equal(other(images), wrapped(images))


def test_networks_can_be_folded_cut_and_exported(wrapped):
    wrapped.eval()
    images = draw(wrapped)
    with torch.no_grad():
        expected = wrapped(images)
        folded = fold_batchnorm(wrapped)
        assert folded is not wrapped
        torch.testing.assert_close(folded(images), expected, rtol=1e-4, atol=1e-4)
        wrapped.set_trainable([wrapped.stage_names[-2], "head"])
        halves = cut_classifier(wrapped)
        assert halves is not None
        torch.testing.assert_close(halves.trained(halves.frozen(images)), expected)
        exported = torch.export.export(wrapped, (images,)).module()
        torch.testing.assert_close(exported(images), expected)


def test_the_map_of_a_network_that_pools_is_pooled_to_its_features():
    backbone = wrap_network(build_resnet, CLASSES, image_size=64).backbone.eval()
    images = torch.randn(2, 3, 96, 96)
    assert not backbone.has_fixed_size
    maps = backbone.forward_map(images)
    assert maps.shape == (2, 512, 3, 3)
    torch.testing.assert_close(backbone.pool_map(maps), backbone(images))


def test_a_network_without_pooling_has_a_map_but_its_features_are_no_averages():
    backbone = wrap_network(build_flat(), CLASSES, image_size=32).backbone.eval()
    assert backbone.has_fixed_size
    assert backbone.forward_map(torch.randn(2, 3, 32, 32)).shape == (2, 8, 8, 8)
    with pytest.raises(ConfigError, match="features of Sequential are not the averages of its last feature map"):
        backbone.pool_map(torch.zeros(2, 8, 8, 8))


def test_a_network_without_maps_says_so():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5), nn.ReLU(), nn.Linear(5, CLASSES))
    backbone = wrap_network(network, CLASSES, image_size=8).backbone
    assert backbone.num_features == 5
    with pytest.raises(ConfigError, match=r"No module of Sequential gives a feature map \(N, C, h, w\); choose a conv"):
        backbone.forward_map(torch.zeros(2, 3, 8, 8))


def test_a_last_layer_without_bias_is_the_head_itself():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES, bias=False)
    )
    classifier = wrap_network(network, CLASSES, image_size=16)
    assert isinstance(classifier.head, nn.Linear)
    assert classifier(torch.randn(2, 3, 16, 16)).shape == (2, CLASSES)


def test_statistics_and_size_are_imagenets_unless_given():
    backbone = wrap_network(build_resnet, CLASSES).backbone
    assert (backbone.image_size, backbone.mean, backbone.std) == (224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    given = wrap_network(build_flat, CLASSES, image_size=32, mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)).backbone
    assert (given.image_size, given.mean, given.std) == (32, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))


class WithAuxiliary(nn.Module):
    """A network that gives two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.fc(images.mean(dim=(2, 3)))
        return logits, logits


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (build_flat(7), r"gives \(2, 7\) for two images; expected logits of shape \(2, 3\).*Build it with 3 outputs"),
        (nn.Conv2d(3, 4, 3), r"Conv2d gives \(2, 4, 30, 30\) for two images; expected logits of shape \(2, 3\)"),
        (WithAuxiliary(), r"WithAuxiliary gives a tuple for two images; expected logits"),
        (nn.Sequential(*build_flat(), nn.Softmax(dim=1)), "does not end in a linear layer; .* without a softmax"),
        (
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten()),
            r"does not take images of shape \(2, 3, 32, 32\): .*1 channel",
        ),
        (nn.Flatten(), "Flatten has no parameters; expected a network that can be trained"),
        (lambda _: "network", "gave a str; expected a torch.nn.Module"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_is_expected(network, message):
    with pytest.raises(ConfigError, match=message):
        wrap_network(network, CLASSES, image_size=32)


def test_another_size_than_the_network_takes_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match="give the height and width that it is made for as image_size"):
        wrap_network(build_flat(), CLASSES)
