"""Maps of evidence: they light up what decided, and leave the network as it was."""

import gc

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from discern.errors import ConfigError
from discern.explanation.class_activation import compute_grad_cam, compute_hires_cam
from discern.explanation.integrated_gradients import compute_integrated_gradients
from discern.explanation.maps import explain_predictions
from discern.explanation.methods import EXPLANATIONS, register_explanation
from discern.models.build import build_classifier
from discern.predictor.bundle import load_bundle
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime
from pictures import COLOURS, draw_photo

from .conftest import build_random

RESNET = "resnet18-half"
TRANSFORMER = "timm:test_vit"

OF_CONVOLUTIONS = [method for method in EXPLANATIONS if method != "attention"]
SUITABLE = [(method, RESNET if method in OF_CONVOLUTIONS else TRANSFORMER) for method in EXPLANATIONS]


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8))


def normalise(predictor, images):
    return predictor.bundle.preprocess.normalize(images)


@pytest.mark.parametrize("method", OF_CONVOLUTIONS)
def test_the_patch_that_decides_is_lit_up(patches, method):
    predictor, images, targets, corners, side = patches
    if method == "integrated-gradients":
        images, targets, corners = images[:3], targets[:3], corners[:3]
    maps = explain_predictions(predictor, images, targets, method)
    assert maps.shape == (len(images), *images.shape[2:])
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1)
    assert maps.min() >= 0
    grid = np.arange(images.shape[-1]) + 0.5
    cell = 8 if images.shape[-1] == 64 else 32
    for values, (top, left) in zip(maps, corners, strict=True):
        margin = cell if method != "integrated-gradients" else images.shape[-1] // 16
        around = values[max(0, top - margin) : top + side + margin, max(0, left - margin) : left + side + margin]
        assert around.sum() > 0.95 * values.sum()
        middle = [(values.sum(axis=axis) * grid).sum() / values.sum() for axis in (1, 0)]
        # The edge of the picture cuts a map off, and the patch is seen in steps of a cell.
        np.testing.assert_allclose(middle, [top + side / 2, left + side / 2], atol=cell)


def test_maps_are_of_the_picture_itself_whatever_the_views_of_answers_are(patches):
    predictor, images, targets, _, _ = patches
    plain, viewed = (
        explain_predictions(each, images[:2], targets[:2]) for each in (predictor, predictor.with_tta("flip"))
    )
    np.testing.assert_array_equal(viewed, plain)


@pytest.mark.parametrize("method", OF_CONVOLUTIONS)
def test_nothing_speaks_for_a_class_that_is_not_there(patches, method):
    predictor, images, targets, _, _ = patches
    assert not explain_predictions(predictor, images[:2], (targets[:2] + 1) % 3, method).any()


@pytest.mark.parametrize("method", OF_CONVOLUTIONS)
def test_a_network_of_random_weights_gives_another_map(trained_run, method):
    """The sanity check of Adebayo et al. 2018: what explains a network depends on what it has learned."""
    bundle = load_bundle(trained_run)
    runtime = choose_runtime(device="cpu", precision="fp32", threads=1)
    photos = [draw_photo(COLOURS[name], seed) for name in COLOURS for seed in range(900, 904)]
    images = torch.stack([bundle.preprocess.fit_image(photo) for photo in photos])
    targets = np.repeat(np.arange(3), 4)
    trained = explain_predictions(Predictor(bundle, runtime), images, targets, method)
    correlations = []
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        bundle.classifier.load_state_dict(build_classifier(bundle.architecture, 3).state_dict())
        random = explain_predictions(Predictor(bundle, runtime), images, targets, method)
        pairs = [(a, b) for a, b in zip(trained, random, strict=True) if a.any() and b.any()]
        correlations += [spearmanr(a.ravel(), b.ravel()).statistic for a, b in pairs]
    assert len(correlations) > 18
    assert np.mean(correlations) < 0.3


@pytest.mark.parametrize("backbone", [RESNET, "timm:mobilenetv2_100"])
def test_behind_an_average_and_a_linear_head_both_are_class_activation_mapping(backbone, images):
    """Zhou et al. 2016: the map weighted with the head's weights, of which the logit is the mean, but for its bias."""
    predictor = build_random(backbone, 64)
    classifier, targets = predictor.bundle.classifier, torch.tensor([0, 1, 2])
    inputs = normalise(predictor, images)
    (grad_cam,), (hires_cam,) = (
        compute(classifier, inputs, targets) for compute in (compute_grad_cam, compute_hires_cam)
    )
    with torch.no_grad():
        maps = classifier.backbone.forward_map(inputs)
        linear = classifier.head.layers[1]
        signed = torch.einsum("nchw,nc->nhw", maps, linear.weight[targets]) / maps[0, 0].numel()
        logits = classifier(inputs)[range(3), targets]
    assert signed.relu().any()
    torch.testing.assert_close(grad_cam, signed)
    torch.testing.assert_close(hires_cam, signed)
    torch.testing.assert_close(signed.sum(dim=(1, 2)) + linear.bias[targets], logits)


@pytest.mark.parametrize("reading", ["stages", "covariances"])
@pytest.mark.parametrize("backbone", [RESNET, "timm:mobilenetv2_050"])
def test_of_a_head_that_reads_stages_all_maps_together_add_up_to_the_logit(backbone, reading, images):
    predictor = build_random(backbone, 64, features=reading)
    classifier, targets = predictor.bundle.classifier, torch.tensor([0, 1, 2])
    inputs = normalise(predictor, images)
    evidence = compute_hires_cam(classifier, inputs, targets)
    with torch.no_grad():
        logits = classifier(inputs)[range(3), targets]
        maps = classifier.backbone.forward_maps(inputs)
    assert [one.shape for one in evidence] == [(3, *one.shape[2:]) for one in maps]
    total = sum(one.sum(dim=(1, 2)) for one in evidence) + classifier.head.layers[1].bias[targets]
    torch.testing.assert_close(total, logits, rtol=0.01, atol=0.01 * logits.abs().max().item())


def test_behind_other_heads_they_differ(images):
    predictor = build_random("timm:mobilenetv3_small_100", 64, head="mlp")
    inputs, targets = normalise(predictor, images), torch.tensor([0, 1, 2])
    grad_cam = compute_grad_cam(predictor.bundle.classifier, inputs, targets)
    hires_cam = compute_hires_cam(predictor.bundle.classifier, inputs, targets)
    assert grad_cam[0].shape == hires_cam[0].shape
    assert not grad_cam[0].requires_grad


def test_integrated_gradients_add_up_to_what_the_picture_changes(images):
    predictor = build_random(RESNET, 64)
    classifier, inputs, targets = predictor.bundle.classifier, normalise(predictor, images), torch.tensor([0, 1, 2])
    with torch.no_grad():
        change = (classifier(inputs) - classifier(torch.zeros_like(inputs)))[range(3), targets]
    errors = []
    for steps in (4, 32, 128):
        attributions = compute_integrated_gradients(classifier, inputs, targets, steps=steps)
        assert attributions.shape == inputs.shape
        errors.append(float((attributions.sum(dim=(1, 2, 3)) - change).abs().max() / change.abs().max()))
    assert errors[1] < 0.05
    assert errors[2] < 0.02
    assert errors[2] < errors[0]


def test_integrated_gradients_of_a_linear_network_are_its_weights_times_the_picture():
    weights = torch.randn(3, 12)
    images = torch.randn(2, 3, 2, 2)
    attributions = compute_integrated_gradients(lambda x: x.flatten(1) @ weights.T, images, torch.tensor([2, 0]))
    torch.testing.assert_close(attributions, images * weights[[2, 0]].view(2, 3, 2, 2))


@pytest.mark.parametrize(
    ("method", "backbone"), [*SUITABLE, *((method, "timm:mobilenetv2_100") for method in OF_CONVOLUTIONS)]
)
def test_frozen_networks_are_explained_as_others_are_and_come_back_as_they_were(backbone, method, images):
    predictor = build_random(backbone, 64)
    classifier = predictor.bundle.classifier
    maps = {}
    for phases in ("all", ("head",), ()):
        classifier.set_trainable(phases)
        classifier.train()
        modes = [module.training for module in classifier.modules()]
        asking = [parameter.requires_grad for parameter in classifier.parameters()]
        state = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
        maps[phases] = explain_predictions(predictor, images, [0, 1, 2], method)
        assert [module.training for module in classifier.modules()] == modes
        assert [parameter.requires_grad for parameter in classifier.parameters()] == asking
        assert all(parameter.grad is None for parameter in classifier.parameters())
        assert all(torch.equal(tensor, state[name]) for name, tensor in classifier.state_dict().items())
    assert maps["all"].any()
    assert np.array_equal(maps["all"], maps[()])
    assert np.array_equal(maps["all"], maps[("head",)])


@pytest.mark.parametrize(("method", "backbone"), SUITABLE)
def test_nothing_is_left_behind(method, backbone, images):
    predictor = build_random(backbone, 64)

    def count_tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    explain_predictions(predictor, images, [0, 1, 2], method)
    before = count_tensors()
    for _ in range(3):
        explain_predictions(predictor, images, [0, 1, 2], method)
    assert count_tensors() <= before
    for module in predictor.bundle.classifier.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._backward_hooks


@pytest.mark.parametrize(("method", "backbone"), SUITABLE)
def test_it_works_inside_inference_mode_and_whatever_the_precision_of_the_run(method, backbone, images):
    expected = explain_predictions(build_random(backbone, 64), images, [0, 1, 2], method)
    predictor = build_random(backbone, 64, precision="bf16")
    with torch.inference_mode():
        inside = explain_predictions(predictor, images.clone(), [0, 1, 2], method)
    assert np.array_equal(inside, expected)


def test_pictures_are_explained_alike_alone_and_together(images):
    predictor = build_random(RESNET, 64)
    together = explain_predictions(predictor, images, [0, 1, 2])
    predictor.batch_size = 2
    np.testing.assert_allclose(explain_predictions(predictor, images, [0, 1, 2]), together, atol=1e-5)
    assert explain_predictions(predictor, images[:0], []).shape == (0, 64, 64)


def test_an_unknown_method_is_refused(images):
    with pytest.raises(
        ConfigError,
        match=r"no explanation method 'lime': there are grad-cam, hires-cam, attention, integrated-gradients",
    ):
        explain_predictions(build_random(RESNET, 64), images, [0, 1, 2], "lime")


def test_a_method_of_ones_own_is_scaled_like_others(images, monkeypatch):
    monkeypatch.setattr(EXPLANATIONS, "_entries", dict(EXPLANATIONS))

    @register_explanation("brightness")
    def explain_by_brightness(bundle, inputs, targets):
        return 7 * (inputs.mean(dim=1) - inputs.min())

    maps = explain_predictions(build_random(RESNET, 64), images, [0, 1, 2], "brightness")
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1)
    assert maps.min() >= 0
