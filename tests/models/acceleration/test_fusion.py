"""Convolutions that apply the activation and add the shortcut themselves compute what the layers did one by one."""

import pytest
import torch
from torch import Tensor, nn

from discern.models.acceleration.folding import fold_batchnorm
from discern.models.acceleration.fusion import fuse_convolutions
from discern.models.backbone import build_backbone
from norms import scramble_all


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def prepare(module: nn.Module) -> nn.Module:
    scramble_all(module)
    return module.eval()


def count(module: nn.Module, kind: type[nn.Module]) -> int:
    """Count the calls of layers of a kind in the graph of a folded module."""
    calls = module.graph.find_nodes(op="call_module")
    return sum(type(module.get_submodule(node.target)) is kind for node in calls)


def assert_same(fused: nn.Module, module: nn.Module, images: Tensor) -> None:
    with torch.inference_mode():
        expected = module(images)
        # Features of a hundred and more have rounding errors of this size, which differ between processors.
        tolerance = max(1e-4, 1e-5 * float(expected.abs().max()))
        # Twice, since the first call rearranges the weights, and with another number of pictures.
        for _ in range(2):
            torch.testing.assert_close(fused(images), expected, rtol=1e-4, atol=tolerance)
        torch.testing.assert_close(fused(images[:1]), expected[:1], rtol=1e-4, atol=tolerance)


@pytest.mark.parametrize(
    "name",
    [
        "resnet18-half",
        "resnet50",
        "timm:mobilenetv2_100",
        "timm:mobilenetv3_small_100",
        "timm:efficientnet_b0",
        "timm:res2net50_26w_4s",
        "timm:seresnet18",
        "timm:gcresnet33ts",
        "timm:densenet121",
    ],
)
def test_features_are_the_same(name: str) -> None:
    backbone = prepare(build_backbone(name))
    images = torch.randn(2, 3, 64, 64).to(memory_format=torch.channels_last)
    before = {key: tensor.clone() for key, tensor in backbone.state_dict().items()}
    fused = fuse_convolutions(fold_batchnorm(backbone), torch.float32)
    assert_same(fused, backbone, images)
    assert all(torch.equal(tensor, before[key]) for key, tensor in backbone.state_dict().items())


def test_nothing_stands_beside_the_convolutions_of_a_resnet() -> None:
    folded = fold_batchnorm(prepare(build_backbone("resnet50")))
    fused = fuse_convolutions(folded, torch.float32)
    assert count(folded, nn.Conv2d) == 53
    assert count(folded, nn.ReLU) == 49
    assert count(fused, nn.Conv2d) == count(fused, nn.ReLU) == 0
    # What is left are pooling, flattening and the fused convolutions themselves.
    assert not [node for node in fused.graph.nodes if "add" in str(node.target)]


def test_bf16_is_as_near_to_fp32_as_autocast_is() -> None:
    backbone = prepare(build_backbone("resnet50"))
    images = torch.randn(4, 3, 64, 64)
    folded = fold_batchnorm(backbone)
    fused = fuse_convolutions(folded, torch.bfloat16)
    with torch.inference_mode():
        exact = backbone(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            far, near = folded(images).float(), fused(images)
    assert near.dtype == torch.bfloat16
    assert torch.linalg.norm(near.float() - exact) <= 1.1 * torch.linalg.norm(far - exact)


class Entangled(nn.Module):
    """Shortcuts that are still needed, or only look like maps of the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(4, 4, 1) for _ in range(6)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(4) for _ in range(6)])
        self.relu = nn.ReLU(inplace=True)

    def convolve(self, place: int, maps: Tensor) -> Tensor:
        result: Tensor = self.norms[place](self.convs[place](maps))
        return result

    def forward(self, images: Tensor) -> Tensor:
        kept = self.convolve(0, images)
        left, right = kept.chunk(2, dim=1)
        summed = self.relu(self.convolve(1, images) + kept)
        pooled = self.convolve(2, summed.mean(dim=(2, 3), keepdim=True))
        broadcast = self.relu(self.convolve(3, summed) + pooled)
        own = self.convolve(4, broadcast) + broadcast
        own += self.convolve(5, own)
        return torch.cat([own, left - right], dim=1)


class Thin(nn.Module):
    """A map of one channel that is added to all channels of another."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.thin = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 1, 1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(1)])

    def forward(self, images: Tensor) -> Tensor:
        thin = self.norms[1](self.thin(images))
        wide: Tensor = self.norms[0](self.wide(images)) + thin
        return wide


@pytest.mark.parametrize("kind", [Entangled, Thin])
def test_shortcuts_that_are_read_again_or_spread_keep_their_values(kind: type[nn.Module]) -> None:
    module = prepare(kind())
    fused = fuse_convolutions(fold_batchnorm(module), torch.float32)
    assert count(fused, nn.Conv2d) == 0
    assert_same(fused, module, torch.randn(2, 4, 6, 6))


class Reread(nn.Module):
    """A map that is added to, and convolved before, beside and after that."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(4, 4, 3, padding=1) for _ in range(4)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(4) for _ in range(4)])

    def forward(self, images: Tensor) -> Tensor:
        maps, before = self.norms[0](self.convs[0](images)), self.convs[1]
        beside = self.norms[1](before(maps))
        summed = self.norms[2](self.convs[2](images)) + maps
        after: Tensor = self.norms[3](self.convs[3](maps))
        return torch.cat([beside + summed, after], dim=1)


def test_what_is_convolved_later_is_not_overwritten() -> None:
    module = prepare(Reread())
    assert_same(fuse_convolutions(fold_batchnorm(module), torch.float32), module, torch.randn(2, 4, 6, 6))


class Unusual(nn.Sequential):
    """Convolutions that oneDNN has no fused form for here, or that are called twice."""

    def __init__(self) -> None:
        shared = nn.Conv2d(4, 4, 1)
        super().__init__(
            nn.Conv2d(3, 4, 3, padding="same"),
            nn.BatchNorm2d(4),
            nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
            nn.ReLU(),
            shared,
            nn.GELU(),
            shared,
        )


def test_what_cannot_be_fused_is_computed_as_before() -> None:
    module = prepare(Unusual())
    fused = fuse_convolutions(fold_batchnorm(module), torch.float32)
    assert count(fused, nn.Conv2d) == 4
    assert_same(fused, module, torch.randn(2, 3, 6, 6))


def test_a_network_without_a_graph_comes_back_as_it_is() -> None:
    backbone = build_backbone("timm:convnext_atto").eval()
    assert fuse_convolutions(fold_batchnorm(backbone), torch.float32) is backbone


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e5])
def test_a_broken_network_is_not_mended(value: float) -> None:
    backbone = prepare(build_backbone("resnet18-half"))
    nn.init.constant_(next(backbone.parameters()), value)
    folded = fold_batchnorm(backbone)
    assert fuse_convolutions(folded, torch.float32) is folded
