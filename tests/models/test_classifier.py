"""Backbone and head together, and frozen stages that stay as they are."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead, MlpHead

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.1),
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def build(name: str, *, stochastic_depth: float = 0.0) -> Classifier:
    backbone = build_backbone(name, stochastic_depth=stochastic_depth)
    return Classifier(backbone, LinearHead(backbone.num_features, 3, dropout=0.2))


def train_steps(classifier: Classifier, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    classifier.train()
    for _ in range(steps):
        optimizer.zero_grad()
        images, targets = torch.randn(6, 3, 32, 32) * 3 + 1, torch.tensor([0, 1, 2] * 2)
        nn.functional.cross_entropy(classifier(images), targets).backward()
        optimizer.step()


def state_of(classifier: Classifier) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in classifier.state_dict().items()}


def changed_stages(classifier: Classifier, before: dict[str, Tensor]) -> set[str]:
    """The stages in which any parameter or buffer differs in any bit."""
    changed = [name for name, tensor in classifier.state_dict().items() if not torch.equal(tensor, before[name])]
    return {
        stage
        for stage, prefixes in classifier.stages().items()
        for prefix in prefixes
        if any(f"{name}.".startswith(f"{prefix}.") for name in changed)
    }


def test_logits_are_the_heads_of_the_backbones_features() -> None:
    backbone = build_backbone("resnet18-half")
    classifier = Classifier(backbone, MlpHead(backbone.num_features, 4)).eval()
    images = torch.randn(2, 3, 32, 32)
    logits = classifier(images)
    assert logits.shape == (2, 4)
    torch.testing.assert_close(logits, classifier.forward_head(backbone(images)))


def test_head_is_the_last_stage_and_the_deepest() -> None:
    classifier = build("resnet18-half")
    assert classifier.stage_names == ("stem", "layer1", "layer2", "layer3", "layer4", "head")
    depths = classifier.parameter_depths()
    assert set(depths) == {name for name, _ in classifier.named_parameters()}
    assert depths["backbone.network.conv1.weight"] == 0
    assert depths["head.layers.1.weight"] == max(depths.values()) == 9


def test_everything_trains_at_first() -> None:
    classifier = build("resnet18-half")
    assert classifier.trainable_parts == classifier.stage_names
    trainable, total = classifier.count_parameters()
    assert trainable == total == sum(parameter.numel() for parameter in classifier.parameters())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["resnet18-half", "timm:mobilenetv2_100", "timm:convnext_atto"])
@pytest.mark.parametrize("last_stages", [1, 2])
def test_frozen_stages_stay_bit_equal_through_training(name: str, optimizer: str, last_stages: int) -> None:
    classifier = build(name, stochastic_depth=0.1)
    trained = classifier.stage_names[-last_stages:]
    # As when one optimizer lives through several stages: it knows the frozen parameters, with momentum and all.
    steps = OPTIMIZERS[optimizer](classifier.parameters())
    train_steps(classifier, steps, steps=1)
    classifier.set_trainable(trained)
    before = state_of(classifier)
    train_steps(classifier, steps)
    assert changed_stages(classifier, before) == set(trained)


@pytest.mark.parametrize("name", ["resnet18-half", "timm:mobilenetv2_100"])
def test_single_layer_in_the_middle_can_train_alone(name: str) -> None:
    classifier = build(name)
    classifier.set_trainable("layer2")
    before = state_of(classifier)
    train_steps(classifier, torch.optim.SGD(classifier.parameters(), lr=0.1))
    assert changed_stages(classifier, before) == {"layer2"}


@pytest.mark.parametrize("name", ["resnet18-half", "timm:mobilenetv2_100"])
def test_frozen_batchnorm_keeps_statistics_while_scale_and_shift_train(name: str) -> None:
    classifier = build(name)
    classifier.set_trainable("all", frozen_batchnorm=True)
    before = state_of(classifier)
    train_steps(classifier, torch.optim.SGD(classifier.parameters(), lr=0.1))
    buffers = {name for name, _ in classifier.named_buffers()}
    assert buffers
    assert all(torch.equal(classifier.state_dict()[name], before[name]) for name in buffers)
    assert not torch.equal(
        classifier.state_dict()["backbone.network.bn1.weight"], before["backbone.network.bn1.weight"]
    )
    assert changed_stages(classifier, before) == set(classifier.stage_names)


def test_unfreezing_again_lets_everything_move() -> None:
    classifier = build("resnet18-half")
    classifier.set_trainable(["head"], frozen_batchnorm=True)
    classifier.set_trainable("all")
    before = state_of(classifier)
    train_steps(classifier, torch.optim.SGD(classifier.parameters(), lr=0.1))
    assert changed_stages(classifier, before) == set(classifier.stage_names)
    assert not torch.equal(classifier.backbone.network.bn1.running_mean, before["backbone.network.bn1.running_mean"])


def test_frozen_backbone_gives_the_same_features_in_training_mode() -> None:
    classifier = build("resnet18-half", stochastic_depth=0.5)
    classifier.set_trainable(["head"])
    images = torch.randn(4, 3, 32, 32)
    expected = classifier.eval().backbone(images)
    assert torch.equal(classifier.train().backbone(images), expected)
    assert not classifier.backbone.training
    assert classifier.head.training


def test_eval_mode_rests_everything_and_train_mode_only_what_trains() -> None:
    classifier = build("resnet18-half").eval()
    classifier.set_trainable(["layer4", "head"])
    assert not any(module.training for module in classifier.modules())
    classifier.train()
    network = classifier.backbone.network
    assert network.layer4.training
    assert not network.layer3.training
    assert not network.bn1.training


def test_gradient_from_before_the_freeze_is_not_applied() -> None:
    classifier = build("resnet18-half")
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
    classifier(torch.randn(2, 3, 32, 32)).sum().backward()
    classifier.set_trainable("head")
    before = state_of(classifier)
    optimizer.step()
    assert changed_stages(classifier, before) == {"head"}


def test_counts_follow_the_stages() -> None:
    classifier = build("resnet18-half")
    classifier.set_trainable({"head"})
    assert classifier.count_parameters().trainable == 256 * 3 + 3
    assert classifier.trainable_parts == ("head",)
    classifier.set_trainable([])
    assert classifier.count_parameters().trainable == 0


def test_single_parameters_of_a_transformer_freeze_with_the_stem() -> None:
    classifier = build("timm:vit_tiny_patch16_224")
    classifier.set_trainable([stage for stage in classifier.stage_names if stage != "stem"])
    network = classifier.backbone.network
    assert not network.cls_token.requires_grad
    assert not network.pos_embed.requires_grad
    assert network.norm.weight.requires_grad


def test_unknown_stages_are_all_named_with_the_nearest() -> None:
    classifier = build("resnet18-half")
    message = (
        r"resnet18-half has no stage 'layr4' \(did you mean 'layer4'\?\), 'tail'; "
        r"the stages of this network are stem, layer1, layer2, layer3, layer4, head \(or all\); single blocks are "
    )
    with pytest.raises(ConfigError, match=message):
        classifier.set_trainable(["head", "tail", "layr4"])
    assert classifier.trainable_parts == classifier.stage_names
