"""Vision transformers of timm: stages, blocks, image sizes, weights of other sizes, and what decays."""

from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torch import nn

from discern.engine.optimizers import build_optimizer
from discern.errors import ConfigError, WeightsError
from discern.models.acceleration.accelerate import accelerate_inference, accelerate_training
from discern.models.backbone import Backbone, build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.models.weights.pretrained import load_pretrained

TINY = "timm:test_vit"


def build_empty(name: str) -> Backbone:
    """Without memory for numbers."""
    with torch.device("meta"):
        return build_backbone(name)


def build_classifier(**options: int) -> Classifier:
    torch.manual_seed(0)
    backbone = build_backbone(TINY, image_size=32)
    return Classifier(backbone, LinearHead(backbone.num_features, 3, **options))


def test_twelve_blocks_are_four_stages() -> None:
    stages = build_empty("timm:vit_small_patch16_224").stages()
    assert list(stages) == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert stages["stem"] == ("network.cls_token", "network.pos_embed", "network.patch_embed")
    assert stages["layer2"] == ("network.blocks.3", "network.blocks.4", "network.blocks.5")
    assert stages["layer4"] == ("network.blocks.9", "network.blocks.10", "network.blocks.11", "network.norm")


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (TINY, [2, 1, 2, 1]),
        ("timm:test_vit3", [3, 2, 2, 2]),
        ("timm:vit_base_patch32_clip_224", [3, 3, 3, 3]),
        ("timm:vit_small_patch14_reg4_dinov2", [3, 3, 3, 3]),
        ("timm:beit_base_patch16_224", [3, 3, 3, 3]),
        ("timm:deit_tiny_distilled_patch16_224", [3, 3, 3, 3]),
    ],
)
def test_blocks_are_divided_as_evenly_as_can_be(name: str, counts: list[int]) -> None:
    backbone = build_empty(name)
    stages = {stage: prefixes for stage, prefixes in backbone.stages().items() if stage != "stem"}
    found = [sum(".blocks." in f".{prefix}" for prefix in prefixes) for prefixes in stages.values()]
    assert found == counts
    assert list(backbone.blocks()) == ["stem", *(f"blocks.{place}" for place in range(sum(counts)))]


def test_stages_of_swin_and_convnext_are_their_own() -> None:
    assert build_empty("timm:swin_tiny_patch4_window7_224").stages()["layer4"][0] == "network.layers.3"
    assert build_empty("timm:test_convnext").stages()["layer3"] == ("network.stages.2",)


@pytest.mark.parametrize("trained", [["blocks.4", "head"], ["blocks.4", "layer4", "head"], ["layer4.0"]])
def test_single_blocks_train_and_all_else_stays_bit_equal(trained: list[str]) -> None:
    classifier = build_classifier()
    if "layer4.0" in trained:
        backbone = build_backbone("resnet18-half")
        classifier = Classifier(backbone, LinearHead(backbone.num_features, 3))
    classifier.set_trainable(trained)
    assert classifier.trainable_parts == tuple(trained)
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=0.1)
    nn.functional.cross_entropy(classifier.train()(torch.randn(4, 3, 32, 32)), torch.arange(4) % 3).backward()
    optimizer.step()
    changed = {name for name, tensor in classifier.state_dict().items() if not torch.equal(tensor, before[name])}
    allowed = tuple(f"{prefix}." for part in trained for prefix in classifier.parts()[part])
    assert changed
    assert all(f"{name}.".startswith(allowed) for name in changed)


def test_unknown_blocks_are_named_with_those_there_are() -> None:
    message = r"no stage 'blocks\.6' \(did you mean 'blocks\.5'\?\); .* stem, layer1, .*; single blocks are blocks\.0"
    with pytest.raises(ConfigError, match=message):
        build_classifier().set_trainable(["blocks.6", "head"])


def test_position_embeddings_are_interpolated_as_timm_does_it() -> None:
    torch.manual_seed(0)
    published = build_backbone(TINY)
    small = build_backbone(TINY)
    small.load_state_dict(published.state_dict())
    small.set_image_size(64)
    assert small.image_size == 64
    expected = resample_abs_pos_embed(published.network.pos_embed, new_size=[4, 4], num_prefix_tokens=1)
    torch.testing.assert_close(small.network.pos_embed, expected)
    assert small(torch.randn(1, 3, 64, 64)).shape == (1, 64)
    small.check_image_size(64)
    with pytest.raises(ConfigError, match=r"image size is 160, but timm:test_vit takes pictures of 64 pixels only"):
        small.check_image_size(160)


@pytest.mark.parametrize(
    ("name", "size", "near"),
    [(TINY, 200, "192 or 208"), (TINY, 10, "16"), ("timm:vit_small_patch14_dinov2", 512, "504 or 518")],
)
def test_sizes_that_are_no_whole_number_of_patches_are_refused_with_the_nearest(
    name: str, size: int, near: str
) -> None:
    backbone = build_empty(name)
    with pytest.raises(
        ConfigError, match=rf"image size is {size}, but {name} divides .* into patches of \d+ pixels; use {near}\."
    ):
        backbone.set_image_size(size)
    assert backbone.find_nearest_size(size) % int(backbone.network.patch_embed.patch_size[0]) == 0


@pytest.mark.parametrize("name", ["timm:levit_128s", "timm:swin_tiny_patch4_window7_224"])
def test_transformers_that_cannot_be_built_for_other_sizes_say_so(name: str) -> None:
    backbone = build_empty(name)
    with pytest.raises(ConfigError, match=f"image size is 256, but {name} takes pictures of 224 pixels only"):
        backbone.set_image_size(256)
    assert backbone.find_nearest_size(256) == 224


@pytest.mark.parametrize("trained_size", [64, 96, 160])
def test_weights_of_another_size_load_as_timm_loads_them(tmp_path: Path, trained_size: int) -> None:
    torch.manual_seed(0)
    trained = timm.create_model("test_vit", img_size=trained_size, num_classes=5)
    save_file(trained.state_dict(), tmp_path / "trained.safetensors")
    backbone = build_backbone(TINY, image_size=64)
    record = load_pretrained(backbone, tmp_path / "trained.safetensors")
    assert set(record.unused) == {"head.weight", "head.bias"}
    trained.set_input_size((64, 64))
    own = trained.state_dict()
    for name, tensor in backbone.network.state_dict().items():
        torch.testing.assert_close(tensor, own[name])
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        backbone.eval()(images), trained.eval().forward_head(trained.forward_features(images), pre_logits=True)
    )


def test_weights_that_do_not_fit_leave_a_resized_network_as_it_was(tmp_path: Path) -> None:
    backbone = build_backbone(TINY, image_size=64)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    other = timm.create_model("test_vit", img_size=96, num_classes=0, embed_dim=32)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors does not fit the network"):
        load_pretrained(backbone, tmp_path / "other.safetensors")
    assert backbone.image_size == 64
    assert all(torch.equal(tensor, before[name]) for name, tensor in backbone.state_dict().items())


@pytest.mark.parametrize(
    ("name", "tokens"), [("timm:vit_small_patch14_dinov2", 1370), ("timm:vit_small_patch14_reg4_dinov2", 1369)]
)
def test_the_native_size_of_dinov2_is_found_in_its_weights(name: str, tokens: int) -> None:
    backbone = build_empty(name)
    assert backbone.image_size == 518
    assert backbone.network.pos_embed.shape == (1, tokens, 384)
    backbone.set_image_size(224)
    assert backbone.network.pos_embed.shape == (1, tokens - 37**2 + 16**2, 384)
    assert backbone.find_trained_size({"pos_embed": torch.empty(1, tokens, 384)}) == 518
    assert backbone.find_trained_size({"module.pos_embed": torch.empty(1, tokens - 37**2 + 24**2, 384)}) == 24 * 14


def test_rotary_positions_need_no_interpolation() -> None:
    backbone = build_backbone("timm:vit_small_patch16_dinov3").eval()
    assert "network.rope" in backbone.stages()["stem"]
    before = backbone.state_dict()
    backbone.set_image_size(64)
    assert backbone(torch.randn(1, 3, 64, 64)).shape == (1, 384)
    assert {name: tensor.shape for name, tensor in backbone.state_dict().items()} == {
        name: tensor.shape for name, tensor in before.items()
    }


def test_clip_is_normalised_as_it_was_trained() -> None:
    clip = build_empty("timm:vit_base_patch32_clip_224")
    assert clip.mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    assert clip.std == pytest.approx((0.2686, 0.2613, 0.2758), abs=1e-4)


def test_tokens_and_position_embeddings_do_not_decay_and_rates_fall_block_by_block() -> None:
    classifier = build_classifier()
    optimizer = build_optimizer("adamw", classifier, learning_rate=1.0, layer_decay=0.5, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in classifier.named_parameters()}
    group_of = {names[id(parameter)]: group for group in optimizer.param_groups for parameter in group["params"]}
    network = "backbone.network"
    for name, group in group_of.items():
        is_weight = name.endswith(".weight") and "norm" not in name
        assert group["weight_decay"] == (0.1 if is_weight else 0.0), name
    assert {f"{network}.cls_token", f"{network}.pos_embed"} < set(group_of)
    assert group_of[f"{network}.pos_embed"]["base_rate"] == 0.5**7
    assert group_of[f"{network}.blocks.5.mlp.fc1.weight"]["base_rate"] == 0.5
    assert group_of[f"{network}.norm.weight"]["base_rate"] == 0.5
    assert group_of["head.layers.1.weight"]["base_rate"] == 1.0


def test_muon_leaves_position_embeddings_to_adamw() -> None:
    classifier = build_classifier()
    optimizer = build_optimizer("muon", classifier, learning_rate=1e-3)
    before = classifier.backbone.network.pos_embed.detach().clone()
    classifier(torch.randn(2, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    change = (classifier.backbone.network.pos_embed - before).abs()
    # The first step of AdamW is the rate for each number; Muon's would be far smaller for so many.
    torch.testing.assert_close(change[change > 0].median(), torch.tensor(1e-3), rtol=0.05, atol=0)


def test_there_is_nothing_to_accelerate_in_layers_without_batchnorm() -> None:
    classifier = build_classifier().eval()
    place = {"device": torch.device("cpu"), "dtype": torch.float32}
    assert accelerate_inference(classifier, **place) is classifier
    assert accelerate_training(classifier, frozen_batchnorm=True, **place) is classifier
