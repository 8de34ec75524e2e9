"""Our ResNets against torchvision's and timm's, and what is ours alone."""

from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    StochasticDepth,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)

BUILDERS = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def randomise(network: nn.Module) -> None:
    """Give every parameter and statistic a value of its own, so that none can hide behind its initial one."""
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif name.endswith("running_var") or ("bn" in name and name.endswith("weight")):
            tensor.uniform_(0.4, 0.8)
        elif tensor.ndim == 1:
            tensor.normal_(std=0.1)


def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        return network.eval()(images)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("build_theirs", [torchvision.models.get_model, timm.create_model])
def test_state_dict_loads_both_ways_and_gives_the_same_logits(
    name: str, build_theirs: Callable[..., nn.Module]
) -> None:
    ours, theirs = BUILDERS[name](num_classes=10), build_theirs(name, num_classes=10)
    images = torch.randn(2, 3, 64, 64)

    randomise(theirs)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    expected = logits_of(theirs, images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(logits_of(ours, images), expected, rtol=0, atol=1e-4)

    with torch.no_grad():
        ours.fc.weight.neg_()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    torch.testing.assert_close(logits_of(theirs, images), logits_of(ours, images), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_gradients_and_running_statistics_equal_torchvisions(name: str) -> None:
    ours, theirs = BUILDERS[name](num_classes=5), torchvision.models.get_model(name, num_classes=5)
    randomise(theirs)
    ours.load_state_dict(theirs.state_dict())
    images, targets = torch.randn(4, 3, 64, 64), torch.tensor([0, 1, 2, 3])
    for network in (ours.train(), theirs.train()):
        nn.functional.cross_entropy(network(images), targets).backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for parameter_name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[parameter_name], rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(dict(ours.named_buffers()), dict(theirs.named_buffers()))


@pytest.mark.parametrize(
    ("name", "millions"),
    [("resnet18", 11.7), ("resnet34", 21.8), ("resnet50", 25.6), ("resnet101", 44.5), ("resnet152", 60.2)],
)
def test_parameter_counts_are_the_known_ones(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = BUILDERS[name]()
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize(("stem", "height"), [("imagenet", 2), ("small", 8)])
def test_stems_differ_in_the_resolution_they_keep(stem: str, height: int) -> None:
    network = resnet18(num_classes=3, stem=stem)
    images = torch.randn(2, 3, 64, 64)
    assert network.forward_map(images).shape == (2, 512, height, height)
    assert network.forward_features(images).shape == (2, 512)
    assert network(images).shape == (2, 3)


def test_small_stem_has_no_pooling_and_a_3x3_convolution() -> None:
    network = resnet18(stem="small")
    assert network.conv1.kernel_size == (3, 3)
    assert network.conv1.stride == (1, 1)
    assert not any(isinstance(module, nn.MaxPool2d) for module in network.modules())


def test_features_are_the_mean_of_the_map_and_logits_their_projection() -> None:
    network = resnet18(num_classes=3).eval()
    images = torch.randn(2, 3, 64, 64)
    features = network.forward_features(images)
    torch.testing.assert_close(features, network.forward_map(images).mean(dim=(2, 3)))
    torch.testing.assert_close(network(images), features @ network.fc.weight.T + network.fc.bias)


def test_no_classes_leave_the_features() -> None:
    network = resnet18(num_classes=0).eval()
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(network(images), network.forward_features(images))
    assert not any(name.startswith("fc") for name in network.state_dict())


def test_width_scales_every_layer() -> None:
    network = resnet50(num_classes=2, width=8)
    assert network.num_features == 8 * 8 * 4
    assert [network.conv1.out_channels, network.layer1[0].conv2.out_channels] == [8, 8]


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck])
def test_zero_initialised_block_is_its_shortcut(block: type[BasicBlock | Bottleneck]) -> None:
    maps = torch.randn(2, 8 * block.expansion, 6, 6)
    module = block(8 * block.expansion, 8)
    module.zero_init_residual()
    torch.testing.assert_close(module(maps), maps.relu())
    assert module.downsample is None


@pytest.mark.parametrize("zero_init", [True, False])
def test_zero_init_sets_the_last_batchnorm_of_every_block(zero_init: bool) -> None:
    network = resnet50(zero_init_residual=zero_init, width=4)
    blocks = [module for module in network.modules() if isinstance(module, Bottleneck)]
    assert len(blocks) == 16
    assert all(bool((block.bn3.weight == 0).all()) == zero_init for block in blocks)
    assert all(bool((block.bn2.weight == 1).all()) for block in blocks)


def test_stochastic_depth_does_nothing_in_eval_mode() -> None:
    plain, dropping = resnet18(width=4), resnet18(width=4, stochastic_depth=0.5)
    randomise(plain)
    dropping.load_state_dict(plain.state_dict(), strict=True)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(logits_of(plain, images), logits_of(dropping, images))


def test_stochastic_depth_keeps_the_expectation_and_drops_whole_pictures() -> None:
    module = StochasticDepth(0.3).train()
    residuals = torch.ones(20_000, 2, 1, 2)
    kept = module(residuals)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.02)
    assert (kept == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(kept.amin(dim=(1, 2, 3)), kept.amax(dim=(1, 2, 3)))
    assert "drop_rate=0.3" in repr(module)


def test_stochastic_depth_grows_linearly_to_the_last_block() -> None:
    network = resnet18(width=4, stochastic_depth=0.4)
    rates = [module.drop_rate for module in network.modules() if isinstance(module, StochasticDepth)]
    assert rates == pytest.approx([0.05 * place for place in range(1, 9)])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_impossible_drop_rate_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"stochastic_depth is .*expected a drop rate from 0"):
        resnet18(stochastic_depth=rate)


def test_unknown_stem_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"stem is 'tiny'; expected \"imagenet\" or \"small\""):
        resnet18(stem="tiny")


def test_overfits_a_few_pictures() -> None:
    network: ResNet = resnet18(num_classes=2, stem="small", width=8)
    images, targets = torch.randn(8, 3, 16, 16), torch.tensor([0, 1] * 4)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    for _ in range(20):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images), targets)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
