"""An ensemble is the mean of its members' probabilities, and a classifier like any other."""

import copy

import pytest
import torch
from torch import nn

from discern.errors import ConfigError
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.models.ensemble import build_ensemble, find_shared_backbones

SMALL = Architecture(backbone="resnet18-half")
IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
SCALES, BIASES = torch.tensor([0.5, 2.0, 1.0]), torch.tensor([0.3, -0.2, 0.0])


@pytest.fixture(scope="module")
def members():
    """Two on the same backbone, and one on another."""
    torch.manual_seed(0)
    first, second, third = (build_classifier(SMALL, 3).eval() for _ in range(3))
    third.backbone = copy.deepcopy(first.backbone)
    return first, second, third


@torch.no_grad()
def test_its_probabilities_are_the_mean_of_its_calibrated_members(members):
    ensemble = build_ensemble(members, (0, 1, 0), SCALES, BIASES).eval()
    by_hand = [(member(IMAGES).log_softmax(1) * SCALES + BIASES).softmax(1) for member in members]
    expected = sum(by_hand) / len(by_hand)
    torch.testing.assert_close(ensemble(IMAGES).softmax(1), expected)
    assert expected.std() > 1e-3


@torch.no_grad()
def test_its_loss_is_at_most_the_mean_loss_of_its_members(members):
    ensemble = build_ensemble(members, (0, 1, 0), torch.ones(3), torch.zeros(3)).eval()
    targets = torch.tensor([0, 1, 2, 0])
    losses = [nn.functional.cross_entropy(member(IMAGES), targets) for member in members]
    assert nn.functional.cross_entropy(ensemble(IMAGES), targets) <= sum(losses) / 3


@torch.no_grad()
def test_equal_backbones_are_found_and_computed_once(members):
    places = find_shared_backbones(members)
    assert places == (0, 1, 0)
    ensemble = build_ensemble(members, places, torch.ones(3), torch.zeros(3))
    assert ensemble.backbone.num_features == 2 * members[0].backbone.num_features
    assert ensemble.backbone.name == "2 x resnet18-half"
    calls = []
    handles = [member.backbone.register_forward_hook(lambda *_: calls.append(1)) for member in members[:2]]
    ensemble.eval()(IMAGES)
    for handle in handles:
        handle.remove()
    assert len(calls) == 2


@torch.no_grad()
def test_its_maps_pool_to_its_features(members):
    backbone = build_ensemble(members, (0, 1, 0), torch.ones(3), torch.zeros(3)).eval().backbone
    torch.testing.assert_close(backbone.pool_map(backbone.forward_map(IMAGES)), backbone(IMAGES))


@pytest.mark.parametrize("places", [(0, 0), (0, 1), (1, 0, 1)])
def test_it_is_built_again_from_its_architecture(places):
    torch.manual_seed(1)
    architecture = SMALL.model_copy(update={"members": places})
    ensemble, again = (build_classifier(architecture, 3).eval() for _ in range(2))
    again.load_state_dict(ensemble.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(again(IMAGES), ensemble(IMAGES))
    names = {name for name, _ in ensemble.named_parameters()}
    assert set(ensemble.parameter_depths()) == names
    prefixes = [f"{prefix}." for stage in ensemble.stages().values() for prefix in stage]
    for name in ensemble.state_dict():
        assert sum(f"{name}.".startswith(prefix) for prefix in prefixes) == 1


def test_a_network_of_the_users_own_is_built_once_for_each_member():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    ensemble = build_classifier(Architecture(backbone="custom", members=(0, 1)), 3, network, image_size=32)
    assert ensemble(IMAGES).shape == (4, 3)
    with pytest.raises(ConfigError, match="give it again as network="):
        build_classifier(Architecture(backbone="custom", members=(0, 1)), 3)


@pytest.mark.parametrize("places", [(1,), (0, 2), (-1, 0), (0,) * 101])
def test_places_with_gaps_and_too_many_members_are_refused(places):
    with pytest.raises(ValueError, match=r"expected places from 0 without a gap|at most 100"):
        Architecture(members=places)


def test_it_is_described():
    assert SMALL.describe() == "resnet18-half with a linear head"
    for places, expected in {
        (0, 1): "An ensemble of 2, each resnet18-half with a linear head",
        (0, 0, 0): "An ensemble of 3 that share one backbone, each resnet18-half with a linear head",
        (0, 1, 1): "An ensemble of 3 that share 2 backbones, each resnet18-half with a linear head",
    }.items():
        assert Architecture(backbone="resnet18-half", members=places).describe() == expected
