"""Optimizers by name, those of users included, and Muon in float32 against timm's and the singular values."""

import copy

import pytest
import torch
from timm.optim import muon
from torch import nn

from discern.engine.muon import Float32Muon
from discern.engine.optimizers import OPTIMIZERS, build_optimizer, register_optimizer, set_rate_factor
from discern.errors import ConfigError
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead


def build_small():
    torch.manual_seed(0)
    return Classifier(build_backbone("resnet18-half", stem="small"), LinearHead(256, 4))


def take_steps(classifier, optimizer, steps):
    losses = []
    for step in range(steps):
        torch.manual_seed(step % 2)
        targets = torch.arange(4).repeat(2)
        images = torch.randn(8, 3, 8, 8) + targets.view(-1, 1, 1, 1)
        loss = nn.functional.cross_entropy(classifier(images), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns(name):
    classifier = build_small()
    rate = 0.05 if name == "sgd" else 2e-3
    optimizer = build_optimizer(name, classifier, learning_rate=rate, layer_decay=0.9, weight_decay=1e-4)
    losses = take_steps(classifier, optimizer, 12)
    assert sum(losses[-2:]) < 0.6 * sum(losses[:2])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_going_on_from_a_saved_state_equals_going_on(name):
    classifier = build_small()
    options = {"learning_rate": 1e-3, "layer_decay": 0.8, "weight_decay": 1e-3}
    optimizer = build_optimizer(name, classifier, **options)
    set_rate_factor(optimizer, 0.5)
    take_steps(classifier, optimizer, 2)
    resumed = copy.deepcopy(classifier)
    again = build_optimizer(name, resumed, **options)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert take_steps(classifier, optimizer, 2) == take_steps(resumed, again, 2)
    for (key, one), other in zip(classifier.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other), key


def test_an_optimizer_of_the_users_gets_the_groups_and_their_rates(monkeypatch):
    monkeypatch.setattr(OPTIMIZERS, "_entries", dict(OPTIMIZERS._entries))

    @register_optimizer("mine")
    def build(groups, *, learning_rate, momentum):
        return torch.optim.RMSprop(groups, lr=learning_rate, momentum=momentum)

    optimizer = build_optimizer("mine", build_small(), learning_rate=0.5, layer_decay=0.5, momentum=0.3)
    set_rate_factor(optimizer, 0.1)
    assert max(group["lr"] for group in optimizer.param_groups) == pytest.approx(0.05)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.3}
    with pytest.raises(ConfigError, match="optimizer 'mine' is registered already"):
        register_optimizer("mine")(lambda groups, **_: None)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_in_float32_muons_steps_are_those_of_timm(layout):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 1), nn.BatchNorm2d(16)).to(memory_format=layout)
    expected = copy.deepcopy(network)
    ours, theirs = (
        kind(layers.parameters(), lr=0.01) for kind, layers in ((Float32Muon, network), (muon.Muon, expected))
    )
    for _ in range(3):
        for mine, other in zip(network.parameters(), expected.parameters(), strict=True):
            other.grad = torch.randn_like(other)
            mine.grad = other.grad.clone(memory_format=torch.preserve_format)
        before = [parameter.detach().clone() for parameter in network.parameters()]
        ours.step()
        theirs.step()
    for mine, other, former in zip(network.parameters(), expected.parameters(), before, strict=True):
        # timm iterates in bf16.
        assert (mine - other).norm() < 0.1 * (mine - former).norm()


def test_in_float32_singular_values_become_one_more_exactly_and_timm_is_left_as_it_was():
    torch.manual_seed(0)
    function = muon.zeropower_via_newtonschulz
    weight = nn.Parameter(torch.zeros(32, 64))
    weight.grad = torch.randn(32, 64)
    Float32Muon([weight], lr=1.0, momentum=0.0).step()
    values = torch.linalg.svdvals(weight.detach() / (0.2 * 8))
    torch.testing.assert_close(values, torch.ones(32), rtol=0, atol=0.15)
    exact = muon.zeropower_via_newtonschulz(weight.grad, 5, muon._COEFFICIENTS["quintic"], dtype=torch.float32)
    torch.testing.assert_close(weight.detach(), -0.2 * 8 * exact)
    weight.grad = torch.full((32, 64), 1.0)
    broken = Float32Muon([weight], lr=1.0)
    broken.param_groups[0]["ns_coefficients"] = "unknown"
    with pytest.raises(ValueError, match="Unknown coefficients"):
        broken.step()
    assert muon.zeropower_via_newtonschulz is function
