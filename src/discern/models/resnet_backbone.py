"""Our residual networks as backbones."""

from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor, nn

from discern.models.backbone_contract import Backbone, BackboneFacts
from discern.models.resnet import ResNet, Stem, resnet18, resnet34, resnet50, resnet101, resnet152

RESNETS: dict[str, Callable[..., ResNet]] = {
    "resnet18": resnet18,
    "resnet18-half": partial(resnet18, width=32),
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
}
"""By name; "resnet18-half" is a ResNet-18 with half the channels, about 2.8 million parameters."""


class ResNetBackbone(Backbone):
    """One of our residual networks."""

    network: ResNet

    def __init__(self, name: str, network: ResNet, facts: BackboneFacts) -> None:
        super().__init__(name, network, facts, num_features=network.num_features)

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the output of layer4 (N, F, h, w)."""
        return self.network.forward_map(images)

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the output of layer4 (N, F, h, w) to its averages (N, F)."""
        return self.network.pool_map(maps)

    def find_stage_widths(self) -> tuple[int, ...]:
        """Return the channels of layer2 and layer3."""
        return self.network.num_features // 4, self.network.num_features // 2

    def forward_stages(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Map images (N, 3, H, W) to the output of layer4 (N, F, h, w), and to those of layer2 and layer3."""
        _, *stages, last = self.network.forward_stages(images)
        return last, stages

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the stem (first convolution and its BatchNorm) and layer1 to layer4."""
        layers = ("layer1", "layer2", "layer3", "layer4")
        return {"stem": ("network.conv1", "network.bn1"), **{layer: (f"network.{layer}",) for layer in layers}}

    def blocks(self) -> dict[str, tuple[str, ...]]:
        """Return the stem and the residual blocks, "layer1.0" first."""
        layers = enumerate(self._list_layers(), start=1)
        names = [f"layer{number}.{place}" for number, layer in layers for place in range(len(layer))]
        return {"stem": self.stages()["stem"], **{name: (f"network.{name}",) for name in names}}

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every residual block."""
        blocks = [block for layer in self._list_layers() for block in layer]
        depth_of = {id(parameter): 1 + place for place, block in enumerate(blocks) for parameter in block.parameters()}
        return {name: depth_of.get(id(parameter), 0) for name, parameter in self.named_parameters()}

    def _list_layers(self) -> tuple[nn.Sequential, ...]:
        return self.network.layer1, self.network.layer2, self.network.layer3, self.network.layer4


def build_resnet_backbone(
    name: str, *, stem: Stem = "imagenet", stochastic_depth: float = 0.0, zero_init_residual: bool = False
) -> ResNetBackbone:
    """Build one of `RESNETS` with random weights; see `ResNet` for the options."""
    network = RESNETS[name](
        num_classes=0, stem=stem, stochastic_depth=stochastic_depth, zero_init_residual=zero_init_residual
    )
    return ResNetBackbone(name, network, BackboneFacts())
