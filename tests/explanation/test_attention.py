"""Evidence on the patches of vision transformers."""

import numpy as np
import pytest
import torch
from timm.layers import use_fused_attn

from discern.errors import ConfigError
from discern.explanation.attention_relevance import compute_attention_relevance
from discern.explanation.maps import explain_predictions
from discern.explanation.methods import choose_method

from .conftest import build_colour_transformer, build_random, draw_patches

CLASS_TOKEN, REGISTER, LATENT, PLAIN = (
    f"timm:{name}" for name in ("test_vit", "test_vit2", "test_vit3", "test_convnext")
)
SIDE = 64


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, SIDE, SIDE), dtype=np.uint8))


@pytest.mark.parametrize("method", ["attention", "integrated-gradients"])
def test_the_patch_that_decides_is_lit_up_and_nothing_speaks_for_another_class(method):
    predictor = build_colour_transformer(SIDE)
    images, targets, corners, side = draw_patches(SIDE, count=6)
    maps = explain_predictions(predictor, images, targets, method)
    assert maps.shape == (6, SIDE, SIDE)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1)
    assert maps.min() >= 0
    for values, (top, left) in zip(maps, corners, strict=True):
        around = values[max(0, top - side) : top + 2 * side, max(0, left - side) : left + 2 * side]
        assert around.sum() > 0.95 * values.sum()
    others = explain_predictions(predictor, images, (targets + 1) % 3, method)
    assert others.max() == 0 or others.sum() < 0.05 * maps.sum()


@pytest.mark.parametrize("backbone", [CLASS_TOKEN, REGISTER, LATENT, "timm:eva02_tiny_patch14_224"])
def test_every_way_of_pooling_gives_a_map(backbone, images):
    side = 56 if "14" in backbone else SIDE
    predictor = build_random(backbone, side)
    classifier = predictor.bundle.classifier
    inputs = predictor.bundle.preprocess.normalize(images[..., :side, :side])
    relevance = compute_attention_relevance(classifier, inputs, torch.tensor([0, 1]))
    assert relevance.shape == (2, 4, 4)
    assert torch.isfinite(relevance).all()
    assert (relevance > 0).any()


def test_one_block_of_one_head_is_followed_by_hand(images):
    """The rule of the paper, written out for a network in which only the first block attends."""
    predictor = build_random(CLASS_TOKEN, SIDE)
    classifier = predictor.bundle.classifier
    network = classifier.backbone.network
    with torch.no_grad():
        for block in network.blocks[1:]:
            block.attn.proj.weight.zero_()
    inputs = predictor.bundle.preprocess.normalize(images)
    attention = classifier.backbone.forward_attention(inputs)
    logits = classifier.forward_head(attention.features)
    (gradient,) = torch.autograd.grad(logits[0, 1], attention.weights[0])
    expected = (attention.weights[0] * gradient)[0].clamp(min=0).mean(dim=0)[0, 1:]
    found = compute_attention_relevance(classifier, inputs[:1], torch.tensor([1]))[0].flatten()
    torch.testing.assert_close(found / found.sum(), expected.detach() / expected.sum())


def test_the_network_computes_as_before_with_fused_attention(images):
    predictor = build_random(CLASS_TOKEN, SIDE)
    backbone = predictor.bundle.classifier.backbone
    inputs = predictor.bundle.preprocess.normalize(images)
    attention = backbone.forward_attention(inputs)
    torch.testing.assert_close(attention.features, backbone(inputs))
    assert len(attention.weights) == 6
    for weights in attention.weights:
        assert weights.shape == (2, 2, 17, 17)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 2, 17))
    assert all(block.attn.fused_attn == use_fused_attn() for block in backbone.network.blocks)
    assert not any(module._forward_hooks for module in backbone.modules())


@pytest.mark.parametrize(
    ("backbone", "expected"), [("resnet18-half", "grad-cam"), (PLAIN, "grad-cam"), (CLASS_TOKEN, "attention")]
)
def test_the_method_suits_the_network(backbone, expected, images):
    predictor = build_random(backbone, SIDE)
    assert choose_method("auto", predictor.bundle.classifier.backbone) == expected
    assert choose_method("hires-cam", predictor.bundle.classifier.backbone) == "hires-cam"
    chosen = explain_predictions(predictor, images, [0, 1])
    assert np.array_equal(chosen, explain_predictions(predictor, images, [0, 1], expected))


def test_each_method_refuses_networks_that_it_does_not_fit(images):
    with pytest.raises(
        ConfigError, match=r"timm:test_convnext is no vision transformer.*the methods grad-cam and hires"
    ):
        explain_predictions(build_random(PLAIN, SIDE), images, [0, 1], "attention")
    for method in ("grad-cam", "hires-cam"):
        with pytest.raises(ConfigError, match=r"last feature map alone\. The method attention explains this backbone"):
            explain_predictions(build_random(CLASS_TOKEN, SIDE), images, [0, 1], method)


def test_pooled_patches_have_a_class_activation_map_beside_registers(images):
    predictor = build_random(REGISTER, SIDE)
    for method in ("grad-cam", "hires-cam"):
        assert explain_predictions(predictor, images, [0, 1], method).shape == (2, SIDE, SIDE)
