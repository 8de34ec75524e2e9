"""Features of the upper stages: what they are, of which networks, and that everything else stays as it is."""

import numpy as np
import pytest
import scipy.linalg
import timm
import torch
import torchvision
from torchvision.models.feature_extraction import create_feature_extractor

from discern.config.sections.model import ModelSettings
from discern.errors import ConfigError
from discern.models.architecture import Architecture
from discern.models.backbone import build_backbone, has_stage_maps
from discern.models.build import build_classifier
from discern.models.ensemble import build_ensemble
from discern.models.stage_features import count_stage_features, describe_stages, pair_channels
from discern.planning.candidates import list_features

IMAGES = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
SMALL = Architecture(backbone="resnet18-half", features="stages")
BOTH = ("covariances", "last")


def summarize(maps):
    """Mean and deviation of each channel, by torch's own functions."""
    return [maps.mean(dim=(2, 3)), maps.flatten(2).std(dim=2, correction=0)]


@torch.no_grad()
def test_they_are_means_and_deviations_of_the_maps_that_torchvision_finds():
    backbone = build_backbone("resnet18").eval()
    network = torchvision.models.resnet18()
    network.load_state_dict(backbone.network.state_dict(), strict=False)
    names = {"avgpool": "last", "layer2": "two", "layer3": "three"}
    found = create_feature_extractor(network.eval(), names)(IMAGES)
    backbone.read("stages")
    expected = torch.cat([found["last"].flatten(1), *summarize(found["two"]), *summarize(found["three"])], dim=1)
    torch.testing.assert_close(backbone(IMAGES), expected, rtol=1e-3, atol=1e-3)
    assert backbone.num_features == expected.shape[1] == 512 + 2 * (128 + 256)


@torch.no_grad()
def test_they_are_those_of_the_maps_that_timm_extracts():
    backbone = build_backbone("timm:mobilenetv2_050").eval()
    extractor = timm.create_model("mobilenetv2_050", features_only=True).eval()
    extractor.load_state_dict(backbone.network.state_dict(), strict=False)
    pooled, maps = backbone(IMAGES), extractor(IMAGES)[-3:]
    backbone.read("stages")
    expected = torch.cat([pooled, *(one for stage in maps for one in summarize(stage))], dim=1)
    torch.testing.assert_close(backbone(IMAGES), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "name",
    [
        "timm:convnext_atto",
        "timm:regnety_002",
        "timm:mobilenetv3_small_050",
        "timm:swin_tiny_patch4_window7_224",
        "timm:densenet121",
        "timm:repvgg_a0",
        "timm:mobileone_s0",
    ],
)
@torch.no_grad()
def test_networks_of_many_kinds_keep_their_own_features_in_front(name):
    assert has_stage_maps(name)
    backbone = build_backbone(name).eval()
    images = torch.randn(2, 3, backbone.image_size, backbone.image_size) if backbone.has_fixed_size else IMAGES
    pooled = backbone(images)
    backbone.read("stages")
    features = backbone(images)
    assert features.shape == (len(images), backbone.num_features)
    assert backbone.num_features > backbone.num_last_features == pooled.shape[1]
    torch.testing.assert_close(backbone.select_last(features), pooled, rtol=1e-4, atol=1e-4)


def test_a_vision_transformer_has_no_such_maps():
    assert not has_stage_maps("timm:vit_tiny_patch16_224")
    with pytest.raises(ConfigError) as caught:
        build_classifier(Architecture(backbone="timm:vit_tiny_patch16_224", features="covariances"), 2)
    assert str(caught.value) == (
        "model.features=covariances needs the feature maps of a convolutional network, which timm:vit_tiny_patch16_224 "
        "does not give; use model.features=last"
    )


@pytest.mark.parametrize("reading", ["stages", "covariances"])
def test_channels_without_any_variance_have_gradients(reading):
    backbone = build_backbone("resnet18-half")
    backbone.read(reading)
    images = torch.zeros(2, 3, 64, 64, requires_grad=True)
    backbone.eval()(images).sum().backward()
    assert torch.isfinite(images.grad).all()


def draw_maps(channels, side=16):
    maps = torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(1))
    return maps + maps.mean(dim=1, keepdim=True) + 3


def test_covariances_are_the_square_roots_that_scipy_finds():
    maps = draw_maps(6)
    rows, columns = np.triu_indices(6)
    for one, found in zip(maps, pair_channels(maps), strict=True):
        root = scipy.linalg.sqrtm(np.cov(one.flatten(1).double().numpy(), bias=True))
        np.testing.assert_allclose(found, root[rows, columns], atol=0.02 * root.max())


def test_covariances_double_with_the_map_and_do_not_change_with_its_level():
    maps = draw_maps(40)
    torch.testing.assert_close(pair_channels(2 * maps + 5), 2 * pair_channels(maps), rtol=1e-3, atol=1e-3)


def test_covariances_are_as_exact_under_autocast():
    maps = draw_maps(40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = pair_channels(maps)
    assert found.dtype == torch.float32
    assert torch.equal(found, pair_channels(maps))


def test_more_than_128_channels_are_mixed_first_each_time_alike():
    maps = draw_maps(300, side=8)
    assert pair_channels(maps).shape == (2, 128 * 129 // 2)
    assert torch.equal(pair_channels(maps), pair_channels(maps.clone()))


@torch.no_grad()
def test_covariances_are_those_of_the_map_at_a_sixteenth_behind_what_the_stages_give():
    for name in ("resnet18-half", "timm:mobilenetv2_050"):
        backbone = build_backbone(name).eval()
        backbone.read("stages")
        stages, maps = backbone(IMAGES), backbone.forward_maps(IMAGES)
        sixteenth = next(one for one in maps if one.shape[-1] == 64 // 16)
        backbone.read("covariances")
        features = backbone(IMAGES)
        assert features.shape == (len(IMAGES), backbone.num_features)
        torch.testing.assert_close(features[:, : stages.shape[1]], stages)
        torch.testing.assert_close(features[:, stages.shape[1] :], pair_channels(sixteenth))


def test_a_single_upper_stage_is_paired_itself():
    maps = [draw_maps(6)]
    described = torch.cat(describe_stages(maps, "covariances"), dim=1)
    assert described.shape[1] == count_stage_features([6], "covariances") == 12 + 21


@pytest.mark.parametrize("reading", ["last", "stages", "covariances"])
@torch.no_grad()
def test_maps_pool_to_the_features_in_one_network_and_in_an_ensemble(reading):
    torch.manual_seed(0)
    architecture = SMALL.model_copy(update={"features": reading})
    members = [build_classifier(architecture, 3).eval() for _ in range(2)]
    ensemble = build_ensemble(members, (0, 1), torch.ones(3), torch.zeros(3)).eval()
    for classifier in (members[0], ensemble):
        backbone = classifier.backbone
        torch.testing.assert_close(backbone.pool_maps(backbone.forward_maps(IMAGES)), backbone(IMAGES))
    mean = torch.stack([member(IMAGES).softmax(1) for member in members]).mean(dim=0)
    torch.testing.assert_close(ensemble(IMAGES).softmax(1), mean)
    last = torch.cat([member.backbone.select_last(member.backbone(IMAGES)) for member in members], dim=1)
    torch.testing.assert_close(ensemble.backbone.select_last(ensemble.backbone(IMAGES)), last)
    assert last.shape[1] == ensemble.backbone.num_last_features


@pytest.mark.parametrize(
    ("settings", "backbone", "weights", "features"),
    [
        (ModelSettings(), "resnet50", "imagenet", ("last",)),
        (ModelSettings(features="auto"), "resnet50", "imagenet", BOTH),
        (ModelSettings(features="auto"), "timm:mobilenetv2_100", "some.safetensors", BOTH),
        (ModelSettings(features="auto"), "resnet50", "none", ("last",)),
        (ModelSettings(features="auto"), "timm:vit_tiny_patch16_224", "some.safetensors", ("last",)),
        (ModelSettings(features="auto", load_head=True), "resnet50", "some.safetensors", ("last",)),
        (ModelSettings(features="stages"), "resnet50", "none", ("stages",)),
        (ModelSettings(features="auto"), "custom", "imagenet", ("last",)),
    ],
)
def test_auto_compares_covariances_where_a_pretrained_network_gives_maps(settings, backbone, weights, features):
    assert list_features(settings, backbone, weights) == features


@pytest.mark.parametrize(
    ("settings", "backbone", "whose"),
    [
        (ModelSettings(features="stages"), "custom", "the head of your own network"),
        (ModelSettings(features="stages", load_head=True), "resnet50", "that of the weights"),
    ],
)
def test_a_head_that_is_there_already_cannot_read_them(settings, backbone, whose):
    with pytest.raises(ConfigError) as caught:
        list_features(settings, backbone, "some.safetensors")
    assert str(caught.value) == (
        f"model.features=stages needs a new head, and {whose} is used; leave model.features at last"
    )
