"""The contract that every backbone keeps."""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from discern.errors import ConfigError
from discern.models.backbone import (
    BACKBONES,
    Backbone,
    BackboneEntry,
    BackboneFacts,
    build_backbone,
    describe_backbone,
    has_small_stem,
    register_backbone,
)
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead


class OwnBackbone(Backbone):
    """A backbone of a user's that decides on everything itself."""

    def __init__(self) -> None:
        network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2))
        super().__init__("own", network, BackboneFacts(64), num_features=16)

    def forward(self, images: Tensor) -> Tensor:
        return self.pool_map(self.forward_map(images))

    def forward_map(self, images: Tensor) -> Tensor:
        return self.network(images)

    def pool_map(self, maps: Tensor) -> Tensor:
        return maps.mean(dim=(2, 3))

    def stages(self) -> dict[str, tuple[str, ...]]:
        return {"stem": ("network.0",), "layer1": ("network.2",)}

    def parameter_depths(self) -> dict[str, int]:
        return {name: int(name.startswith("network.2")) for name, _ in self.named_parameters()}


class PlainNetwork(nn.Module):
    """A network as a user writes it: with parameters beside its children and a child with buffers alone."""

    def __init__(self, stochastic_depth: float = 0.0) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(3, 1, 1))
        self.statistics = nn.BatchNorm2d(3, affine=False)
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16, affine=False), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.stochastic_depth = stochastic_depth

    def forward(self, images: Tensor) -> Tensor:
        maps = self.second(self.first(self.statistics(images + self.shift)))
        return self.pool(maps).flatten(1)


OF_USERS = {
    "own": BackboneEntry(OwnBackbone, BackboneFacts(64)),
    "plain": BackboneEntry(PlainNetwork, BackboneFacts(96, mean=(0.5, 0.5, 0.5))),
}

NAMES = [
    *BACKBONES,
    *OF_USERS,
    "timm:mobilenetv2_100",
    "timm:mobilenetv3_small_100",
    "timm:convnext_tiny",
    "timm:vit_tiny_patch16_224",
    "timm:test_vit",
    "timm:test_vit2",
    "timm:test_vit3",
    "timm:eva02_tiny_patch14_224",
    "timm:efficientnet_b0",
    "timm:swin_tiny_patch4_window7_224",
    "timm:densenet121",
]


@cache
def backbone_named(name: str) -> Backbone:
    return build_backbone(name).eval()


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the backbones of users for the time of a test."""
    monkeypatch.setattr(BACKBONES, "_entries", BACKBONES._entries | OF_USERS)


@pytest.fixture(params=NAMES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return backbone_named(request.param)


def test_every_parameter_and_buffer_is_in_exactly_one_stage(backbone: Backbone) -> None:
    stages = backbone.stages()
    for name, _ in (*backbone.named_parameters(), *backbone.named_buffers()):
        owners = [
            stage for stage, prefixes in stages.items() for prefix in prefixes if f"{name}.".startswith(f"{prefix}.")
        ]
        assert len(owners) == 1, name


def test_stages_are_named_from_the_input_on_and_none_is_empty(backbone: Backbone) -> None:
    stages = backbone.stages()
    assert list(stages) == ["stem", *(f"layer{place}" for place in range(1, len(stages)))]
    parameters = [name for name, _ in backbone.named_parameters()]
    names = [*parameters, *(name for name, _ in backbone.named_buffers())]
    for prefixes in stages.values():
        assert all(any(f"{name}.".startswith(f"{prefix}.") for name in names) for prefix in prefixes)
        assert any(f"{name}.".startswith(tuple(f"{prefix}." for prefix in prefixes)) for name in parameters)


def test_depths_cover_every_parameter_and_never_fall_from_stage_to_stage(backbone: Backbone) -> None:
    depths = backbone.parameter_depths()
    assert set(depths) == {name for name, _ in backbone.named_parameters()}
    assert set(depths.values()) == set(range(max(depths.values()) + 1))
    ranges = []
    for prefixes in backbone.stages().values():
        inside = [depth for name, depth in depths.items() for prefix in prefixes if f"{name}.".startswith(f"{prefix}.")]
        ranges.append((min(inside), max(inside)))
    assert ranges[0] == (0, 0)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


def test_features_and_map_have_the_promised_shapes(backbone: Backbone) -> None:
    images = torch.randn(1, 3, backbone.image_size, backbone.image_size)
    with torch.inference_mode():
        assert backbone(images).shape == (1, backbone.num_features)
        feature_map = backbone.forward_map(images)
    assert feature_map.ndim == 4
    assert feature_map.shape[0] == 1
    assert 1 < feature_map.shape[2] == feature_map.shape[3] < feature_map.shape[1]


def test_blocks_divide_stages_and_cover_every_parameter_and_buffer_once(backbone: Backbone) -> None:
    blocks = backbone.blocks()
    assert next(iter(blocks)) == "stem"
    stage_of = {prefix: stage for stage, prefixes in backbone.stages().items() for prefix in prefixes}
    stages = []
    for prefixes in blocks.values():
        within = {
            stage for prefix in prefixes for start, stage in stage_of.items() if f"{prefix}.".startswith(f"{start}.")
        }
        assert len(within) == 1
        stages += within
    assert list(dict.fromkeys(stages)) == list(backbone.stages())
    for name, _ in (*backbone.named_parameters(), *backbone.named_buffers()):
        owners = [name for prefixes in blocks.values() for start in prefixes if f"{name}.".startswith(f"{start}.")]
        assert len(owners) == 1, name


def test_a_state_dict_comes_back_whole(backbone: Backbone) -> None:
    other = build_backbone(backbone.name).eval()
    other.load_state_dict(backbone.state_dict(), strict=True)
    images = torch.randn(1, 3, backbone.image_size, backbone.image_size)
    with torch.inference_mode():
        assert torch.equal(other(images), backbone(images))


@pytest.mark.parametrize("name", [*BACKBONES, *OF_USERS])
def test_frozen_stages_stay_bit_equal(name: str) -> None:
    backbone = build_backbone(name)
    classifier = Classifier(backbone, LinearHead(backbone.num_features, 3))
    last = classifier.stage_names[-2]
    classifier.set_trainable([last, "head"])
    before = {key: tensor.clone() for key, tensor in classifier.state_dict().items()}
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
    classifier.train()
    logits = classifier(torch.randn(4, 3, 64, 64))
    assert logits.shape == (4, 3)
    nn.functional.cross_entropy(logits, torch.arange(4) % 3).backward()
    optimizer.step()
    changed = {key for key, tensor in classifier.state_dict().items() if not torch.equal(tensor, before[key])}
    trained = tuple(prefix for stage in (last, "head") for prefix in classifier.stages()[stage])
    assert changed
    assert all(key.startswith(trained) for key in changed)


WITH_CLASS_TOKEN = ("timm:vit_tiny_patch16_224", "timm:test_vit", "timm:test_vit3")
"""Test_vit3 has no class token, but pools its register as well."""


def test_the_pooled_map_is_the_features(backbone: Backbone) -> None:
    if backbone.name in WITH_CLASS_TOKEN:
        pytest.skip("its features are those of a class token")
    images = torch.randn(2, 3, backbone.image_size, backbone.image_size)
    with torch.inference_mode():
        assert torch.equal(backbone.pool_map(backbone.forward_map(images)), backbone(images))


def test_the_map_can_be_differentiated(backbone: Backbone) -> None:
    """Nothing behind the map works in place on it, and it has a share in every feature."""
    if backbone.name in WITH_CLASS_TOKEN:
        pytest.skip("its features are those of a class token")
    images = torch.randn(1, 3, backbone.image_size, backbone.image_size)
    with torch.inference_mode():
        maps = backbone.forward_map(images)
    leaf = maps.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(backbone.pool_map(leaf).square().sum(), leaf)
    assert gradient.shape == maps.shape
    assert gradient.abs().sum() > 0


def test_features_of_a_class_token_are_not_those_of_the_map() -> None:
    backbone = backbone_named("timm:vit_tiny_patch16_224")
    with pytest.raises(ConfigError, match="VisionTransformer are not made of its last feature map alone"):
        backbone.pool_map(torch.zeros(1, 192, 14, 14))


def test_features_that_average_the_tokens_are_those_of_the_map() -> None:
    backbone = build_backbone("timm:vit_relpos_small_patch16_224").eval()
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(backbone.pool_map(backbone.forward_map(images)), backbone(images))


def test_stages_of_mobilenetv2_are_its_own_blocks() -> None:
    stages = backbone_named("timm:mobilenetv2_100").stages()
    assert stages["stem"] == ("network.conv_stem", "network.bn1")
    assert stages["layer7"] == ("network.blocks.6", "network.conv_head", "network.bn2")


def test_final_norm_belongs_to_the_last_layer() -> None:
    assert backbone_named("timm:convnext_tiny").stages()["layer4"] == ("network.stages.3", "network.head")


def test_depth_of_ours_counts_residual_blocks() -> None:
    depths = build_backbone("resnet50").parameter_depths()
    assert depths["network.bn1.weight"] == 0
    assert depths["network.layer1.0.conv1.weight"] == 1
    assert depths["network.layer3.5.bn3.bias"] == 13
    assert depths["network.layer4.2.conv3.weight"] == 16


def test_map_of_a_transformer_lies_on_the_picture() -> None:
    backbone = build_backbone("timm:vit_tiny_patch16_224").eval()
    images = torch.zeros(1, 3, 224, 224)
    marked = images.clone()
    marked[..., 64:80, 160:176] = 5.0
    with torch.inference_mode():
        # Without attention each patch is seen alone, so only the marked one may change.
        for block in backbone.network.blocks:
            block.attn.proj.weight.zero_()
        change = (backbone.forward_map(marked) - backbone.forward_map(images)).abs().sum(dim=1)[0]
    assert torch.nonzero(change > 1e-5).tolist() == [[4, 10]]


def test_channels_last_map_of_swin_is_turned() -> None:
    assert backbone_named("timm:swin_tiny_patch4_window7_224").forward_map(torch.zeros(1, 3, 224, 224)).shape[1] == 768


def test_statistics_and_size_come_from_the_published_weights() -> None:
    vit = backbone_named("timm:vit_tiny_patch16_224")
    assert (vit.mean, vit.std, vit.image_size) == ((0.5,) * 3, (0.5,) * 3, 224)
    ours = backbone_named("resnet18")
    assert (ours.mean, ours.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_facts_are_those_of_the_built_backbone(backbone: Backbone) -> None:
    facts = describe_backbone(backbone.name)
    assert facts == (backbone.image_size, backbone.has_fixed_size, backbone.mean, backbone.std)


def test_facts_are_known_without_building() -> None:
    assert describe_backbone("resnet50") == BackboneFacts(224, False, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert describe_backbone("timm:vit_large_patch14_reg4_dinov2").image_size == 518
    assert describe_backbone("timm:vit_base_patch16_384").has_fixed_size
    for name in ("resnet5", "timm:resnet5"):
        with pytest.raises(ConfigError, match=r"nearest: .*resnet50"):
            describe_backbone(name)


def test_our_networks_need_neither_timm_nor_torchvision() -> None:
    code = (
        "import sys, torch; before = set(sys.modules)\n"
        "from discern.models.classifier import Classifier\n"
        "from discern.models.backbone import build_backbone, describe_backbone\n"
        "from discern.models import cutting, heads\n"
        "from discern.models.acceleration import folding\n"
        "from discern.models.weights import pretrained\n"
        "classifier = Classifier(build_backbone('resnet50'), heads.LinearHead(2048, 2))\n"
        "classifier.set_trainable(['layer4', 'head'])\n"
        "cutting.cut_classifier(classifier), folding.fold_batchnorm(classifier), describe_backbone('resnet18')\n"
        "new = set(sys.modules) - before; print(sorted(new & {'timm', 'torchvision'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_image_size_is_checked_where_it_is_fixed() -> None:
    backbone_named("resnet18").check_image_size(512)
    backbone_named("timm:mobilenetv2_100").check_image_size(512)
    backbone_named("timm:vit_tiny_patch16_224").check_image_size(224)
    with pytest.raises(ConfigError, match="image size is 512, but timm:vit_tiny_patch16_224 takes pictures of 224"):
        backbone_named("timm:vit_tiny_patch16_224").check_image_size(512)


def test_half_resnet_is_small() -> None:
    count = sum(parameter.numel() for parameter in build_backbone("resnet18-half").parameters())
    assert count == pytest.approx(2.8e6, rel=0.02)


def test_options_reach_our_network() -> None:
    network = build_backbone("resnet18", stem="small", stochastic_depth=0.2, zero_init_residual=True).network
    assert network.conv1.kernel_size == (3, 3)
    assert network.layer4[1].stochastic_depth.drop_rate == pytest.approx(0.2)
    assert network.layer1[0].bn2.weight.max() == 0


def test_stochastic_depth_reaches_timm_and_is_off_by_default() -> None:
    def drop_rates(backbone: Backbone) -> list[float]:
        return [module.drop_prob for module in backbone.modules() if isinstance(module, timm.layers.DropPath)]

    assert max(drop_rates(build_backbone("timm:convnext_tiny", stochastic_depth=0.3))) == pytest.approx(0.3)
    assert not any(drop_rates(build_backbone("timm:swin_tiny_patch4_window7_224")))


def test_network_without_stochastic_depth_says_so() -> None:
    with pytest.raises(ConfigError, match=r"timm's 'vgg11' has no stochastic depth; leave it at 0"):
        build_backbone("timm:vgg11", stochastic_depth=0.1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5", r"no backbone 'resnet5'; nearest: .*resnet50.*Ours are resnet18, .*timm's are written timm:NAME"),
        ("mobilenetv2_100", "no backbone 'mobilenetv2_100'; nearest: timm:mobilenetv2_100"),
        ("timm:mobilnetv2_100", "timm has no network 'mobilnetv2_100'; nearest: mobilenetv2_100"),
        ("timm:hf-hub:someone/something", "timm has no network"),
        ("timm:resnet50.nope", r"timm has no weights 'nope' for 'resnet50'; it has .*resnet50\.a1_in1k"),
    ],
)
def test_unknown_name_gives_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_backbone(name)


def test_options_of_ours_are_refused_for_timm() -> None:
    with pytest.raises(ConfigError, match=r"exist only for our own networks .* not for 'timm:resnet18'"):
        build_backbone("timm:resnet18", stem="small")
    with pytest.raises(ConfigError, match=r"zero_init_residual=True exist only for our own networks"):
        build_backbone("timm:resnet18", zero_init_residual=True)


def test_features_without_a_grid_are_no_map() -> None:
    backbone = build_backbone("timm:mobilenetv2_100")
    backbone.network.forward_features = lambda images: images.flatten(1)
    with pytest.raises(ConfigError, match="no map of the picture; choose a convolutional backbone"):
        backbone.forward_map(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("name", ["resnet18-half", "timm:mobilenetv2_100"])
def test_synchronized_batchnorm_keeps_names_and_answers(name):
    backbone = build_backbone(name).eval()
    images = torch.randn(2, 3, 64, 64)
    names, expected = list(backbone.state_dict()), backbone(images)
    backbone.synchronize_batchnorm()
    kinds = [module for module in backbone.modules() if isinstance(module, _BatchNorm)]
    assert kinds
    assert all(isinstance(module, nn.SyncBatchNorm) for module in kinds)
    assert list(backbone.state_dict()) == names
    torch.testing.assert_close(backbone.eval()(images), expected)


def test_a_plain_network_has_its_children_as_stages() -> None:
    stages = backbone_named("plain").stages()
    assert stages == {
        "stem": ("network.shift", "network.statistics", "network.first"),
        "layer1": ("network.second",),
    }


def test_a_network_with_one_child_has_that_ones_children_as_stages() -> None:
    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = PlainNetwork()

        def forward(self, images: Tensor) -> Tensor:
            return self.body(images)

    register_backbone("body")(Body)
    assert build_backbone("body").stages()["layer1"] == ("network.body.second",)


def test_options_reach_a_users_builder_or_are_refused() -> None:
    assert build_backbone("plain", stochastic_depth=0.3).network.stochastic_depth == 0.3
    with pytest.raises(ConfigError, match=r"backbone 'plain' has no stem; leave model.stem at 'imagenet'"):
        build_backbone("plain", stem="small")
    assert [has_small_stem(name) for name in ("plain", "resnet18", "timm:resnet18")] == [False, True, False]


def test_names_that_are_taken_are_refused() -> None:
    with pytest.raises(ConfigError, match="backbone 'resnet18' is registered already; take another"):
        register_backbone("resnet18")(PlainNetwork)
    with pytest.raises(ConfigError, match="'timm:mine' cannot be registered: timm: stands for timm's"):
        register_backbone("timm:mine")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3), r"broken gives \(2, 4, 222, 222\) for two images; expected pooled features"),
        (lambda: nn.Conv2d(1, 4, 3), r"broken does not take images of shape \(2, 3, 224, 224\): .*1 channel"),
        (nn.Flatten, "'broken' has no parameters; expected a network that can be trained"),
        (lambda: "network", "'broken' is a str; expected a torch.nn.Module"),
    ],
)
def test_what_is_no_backbone_is_refused_with_what_is_expected(build: Callable[[], nn.Module], message: str) -> None:
    register_backbone("broken")(build)
    with pytest.raises(ConfigError, match=message):
        build_backbone("broken")
