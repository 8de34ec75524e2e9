"""Learning rates in proportion to weights: a step changes networks alike that compute the same."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from discern.engine.optimizers import build_optimizer, get_learning_rate, set_rate_factor
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    built = Classifier(build_backbone("resnet18-half"), LinearHead(256, 3))
    for module in built.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    built.set_trainable("all", frozen_batchnorm=True)
    return built


def shrink_weights(classifier, factor):
    """Return a copy whose convolutions have smaller weights, which the statistics behind them make up for."""
    small = copy.deepcopy(classifier)
    for module in small.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data *= factor
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean *= factor
            module.running_var.add_(module.eps).mul_(factor**2).sub_(module.eps)
    return small


def list_changes(classifier, pictures, **options):
    """Return by how much of its length a step changes each convolution."""
    before = {name: one.detach().clone() for name, one in classifier.named_parameters() if one.ndim == 4}
    optimizer = build_optimizer("adamw", classifier, learning_rate=1e-3, layer_decay=0.8, **options)
    set_rate_factor(optimizer, 1.0)
    classifier.train()
    functional.cross_entropy(classifier(pictures), torch.arange(len(pictures)) % 3).backward()
    optimizer.step()
    after = dict(classifier.named_parameters())
    return torch.stack([(after[name].detach() - one).norm() / one.norm() for name, one in before.items()])


def test_a_step_changes_networks_alike_that_compute_the_same(classifier):
    pictures = torch.randn(6, 3, 64, 64)
    small = shrink_weights(classifier, 0.25)
    with torch.no_grad():
        torch.testing.assert_close(classifier.eval()(pictures), small.eval()(pictures), rtol=1e-3, atol=1e-4)
    plain, plain_small = (list_changes(copy.deepcopy(one), pictures) for one in (classifier, small))
    torch.testing.assert_close(plain_small, 4 * plain, rtol=0.05, atol=0)
    equal, equal_small = (list_changes(one, pictures, proportional_rates=True) for one in (classifier, small))
    torch.testing.assert_close(equal_small, equal, rtol=0.05, atol=0)


@pytest.mark.parametrize(("size", "factor"), [(0.06, 0.5), (0.12, 1), (0.3, 1)])
def test_small_weights_have_rates_in_proportion_and_the_head_its_own(classifier, size, factor):
    # Ten layers of a size and ten of another have the geometric mean of both.
    layers = [parameter for parameter in classifier.backbone.parameters() if parameter.ndim > 1]
    assert len(layers) == 20
    for number, parameter in enumerate(layers):
        parameter.data *= size * (0.5 if number % 2 else 2) / parameter.data.square().mean().sqrt()
    optimizer = build_optimizer("adamw", classifier, learning_rate=1.0, layer_decay=0.5, proportional_rates=True)
    of = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    rates = {name: of[id(parameter)]["base_rate"] for name, parameter in classifier.named_parameters()}
    assert rates["head.layers.1.weight"] == 1.0
    assert rates["backbone.network.layer4.1.conv2.weight"] == pytest.approx(0.5 * factor)
    assert rates["backbone.network.layer4.1.bn2.weight"] == pytest.approx(0.5 * factor)
    assert rates["backbone.network.layer3.1.conv2.weight"] == pytest.approx(0.5**3 * factor)


def test_a_layer_of_zeros_learns(classifier):
    for parameter in classifier.backbone.parameters():
        parameter.data.zero_()
    optimizer = build_optimizer("adamw", classifier, learning_rate=1.0, proportional_rates=True)
    assert min(group["base_rate"] for group in optimizer.param_groups) == pytest.approx(1e-3 / 0.12)


def test_the_rate_that_is_reported_is_that_of_the_head(classifier):
    for parameter in classifier.backbone.parameters():
        parameter.data.fill_(0.01)
    optimizer = build_optimizer("adamw", classifier, learning_rate=1e-3, proportional_rates=True)
    set_rate_factor(optimizer, 0.5)
    assert min(group["lr"] for group in optimizer.param_groups) < 1e-4
    assert get_learning_rate(optimizer) == 5e-4
