"""BatchNorm's statistics against means taken by hand of pictures as they are."""

import copy

import pytest
import torch
from torch.nn import BatchNorm2d

from discern.engine.batch_statistics import estimate_statistics
from discern.engine.forward import prepare_images
from fitting import SMALL, build_fit

FINE_TUNING = [*SMALL, "training.phases.*.epochs=1", "frozen_batchnorm=false", "run.precision=fp32"]


def measure_first_norm(fit):
    """What the first BatchNorm sees of all training pictures: mean and variance of each channel."""
    network = fit.classifier.backbone.network.eval()
    seen = []
    handle = network.bn1.register_forward_pre_hook(lambda _norm, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for batch in fit.data.build_evaluation_loader(fit.data.train).batches():
            fit.classifier(prepare_images(fit.data.preprocess, fit.runtime)(batch.images))
    handle.remove()
    maps = torch.cat(seen).transpose(0, 1).flatten(1)
    return maps.mean(1), maps.var(1)


@pytest.mark.parametrize("augment", ["light", "standard"])
def test_a_network_is_evaluated_with_the_statistics_of_pictures_as_they_are(table, augment):
    fit = build_fit(table, "table", [*FINE_TUNING, f"augment={augment}"])
    fit.run()
    norm = fit.classifier.backbone.network.bn1
    mean, variance = measure_first_norm(fit)
    torch.testing.assert_close(norm.running_mean, mean, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(norm.running_var, variance, rtol=0.1, atol=1e-4)
    assert norm.momentum == BatchNorm2d(1).momentum


def test_without_augmentation_they_are_those_met_while_learning(table):
    fit = build_fit(table, "table", [*FINE_TUNING, "augment=none"])
    fit.run()
    mean, _ = measure_first_norm(fit)
    assert not torch.allclose(fit.classifier.backbone.network.bn1.running_mean, mean, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "averaging",
    [["augment=light", "training.ema_decay=0.9"], ["augment=light", "initial_share=0.5"], ["initial_share=0.5"]],
)
def test_averaged_weights_have_statistics_of_their_own(table, averaging):
    fit = build_fit(table, "table", [*FINE_TUNING, "augment=none", *averaging])
    fit.run()
    mean, _ = measure_first_norm(fit)
    torch.testing.assert_close(fit.classifier.backbone.network.bn1.running_mean, mean, rtol=1e-3, atol=1e-4)


def test_norms_that_rest_keep_theirs(table):
    overrides = [*FINE_TUNING, "augment=light", 'training.phases.all.train=["layer4","head"]', "cache.features=off"]
    fit = build_fit(table, "table", overrides)
    before = copy.deepcopy(fit.classifier.state_dict())
    fit.run()
    after = fit.classifier.state_dict()
    statistics = [name for name in after if "running" in name]
    changed = {name for name in statistics if not torch.equal(before[name], after[name])}
    assert changed == {name for name in statistics if "layer4" in name}


def test_nothing_is_drawn_and_dropout_rests(table):
    fit = build_fit(table, "table", [*FINE_TUNING, "model.stochastic_depth=0.5", "head=mlp", "dropout=0.5"])
    sample, prepare = fit.data.read_statistics_sample(), prepare_images(fit.data.preprocess, fit.runtime)
    generator = torch.get_rng_state()
    found = []
    for _ in range(2):
        estimate_statistics(fit.classifier, sample, prepare, fit.runtime)
        found.append(copy.deepcopy(fit.classifier.state_dict()))
    assert torch.equal(generator, torch.get_rng_state())
    assert all(torch.equal(first, second) for first, second in zip(found[0].values(), found[1].values(), strict=True))
