"""The body of a classifier behind one contract, whether the network is ours or timm's.

To add a backbone, subclass `Backbone` and name it in `describe_backbone` and `build_backbone`; most are one timm name
away already.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models import timm_network
from discern.models.resnet import ResNet, Stem, resnet18, resnet34, resnet50, resnet101, resnet152

TIMM_PREFIX = "timm:"

_RESNETS: dict[str, Callable[..., ResNet]] = {
    "resnet18": resnet18,
    "resnet18-half": partial(resnet18, width=32),
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
}


class BackboneFacts(NamedTuple):
    """What pictures a backbone expects: the ones its published weights were trained with."""

    image_size: int = 224
    """Height and width in pixels."""
    has_fixed_size: bool = False
    """Whether it takes pictures of that size only."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Of the red, green and blue channel, for images in [0, 1]; by default ImageNet's."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Backbone(nn.Module, ABC):
    """Turns images into pooled features, and knows its own parts.

    Attributes:
        name: What `build_backbone` calls it.
        network: The network itself; its state dict has the names of the published weights.
        num_features: F, the length of the pooled features.
        image_size: As in `BackboneFacts`, like `has_fixed_size`, `mean` and `std`.
    """

    def __init__(self, name: str, network: nn.Module, facts: BackboneFacts, *, num_features: int) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.num_features = num_features
        self.image_size, self.has_fixed_size, self.mean, self.std = facts

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to pooled features (N, F)."""
        features: Tensor = self.network(images)
        return features

    @abstractmethod
    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w)."""

    @abstractmethod
    def pool_map(self, maps: Tensor) -> Tensor:
        """Map what `forward_map` gives, (N, C, h, w), to the features (N, F) that `forward` gives."""

    @abstractmethod
    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the modules and parameters of each stage, "stem" first, then "layer1" to "layerN".

        A stage owns all that begins with one of its names; every parameter and buffer is in exactly one stage.
        """

    @abstractmethod
    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every block."""

    def synchronize_batchnorm(self) -> None:
        """Let every BatchNorm see the batches of all processes; names of parameters stay as they are."""
        self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)  # type: ignore[no-untyped-call]

    def check_image_size(self, image_size: int) -> None:
        """Raise when the network cannot take pictures of this height and width in pixels.

        Raises:
            ConfigError: The network, for instance a vision transformer, has one fixed size.
        """
        if self.has_fixed_size and image_size != self.image_size:
            raise ConfigError(
                f"The image size is {image_size}, but {self.name} takes pictures of {self.image_size} pixels only; "
                f"use {self.image_size} or a convolutional backbone."
            )


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

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the stem (first convolution and its BatchNorm) and layer1 to layer4."""
        layers = ("layer1", "layer2", "layer3", "layer4")
        return {"stem": ("network.conv1", "network.bn1"), **{layer: (f"network.{layer}",) for layer in layers}}

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every residual block."""
        layers = (self.network.layer1, self.network.layer2, self.network.layer3, self.network.layer4)
        blocks = [block for layer in layers for block in layer]
        depth_of = {id(parameter): 1 + place for place, block in enumerate(blocks) for parameter in block.parameters()}
        return {name: depth_of.get(id(parameter), 0) for name, parameter in self.named_parameters()}


class TimmBackbone(Backbone):
    """A network of timm without its classifier."""

    def __init__(self, name: str, facts: BackboneFacts, *, stochastic_depth: float) -> None:
        network = timm_network.create_network(name.removeprefix(TIMM_PREFIX), stochastic_depth=stochastic_depth)
        super().__init__(name, network, facts, num_features=timm_network.count_features(network))

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w); tokens are put back on their grid.

        Raises:
            ConfigError: The network has no such map.
        """
        return timm_network.forward_map(self.network, images)

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature map (N, C, h, w) to the features (N, F) that `forward` gives.

        Raises:
            ConfigError: The features are not made of that map alone, as where a class token gives them.
        """
        return timm_network.pool_map(self.network, maps)

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the stem and one layer for each of timm's coarse groups; a final norm belongs to the last layer."""
        stages = timm_network.stage_prefixes(self.network)
        return {stage: tuple(f"network.{prefix}" for prefix in prefixes) for stage, prefixes in stages.items()}

    def synchronize_batchnorm(self) -> None:
        """Let every BatchNorm see the batches of all processes; names of parameters stay as they are."""
        self.network = timm_network.synchronize_batchnorm(self.network)

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every one of timm's fine groups."""
        return {f"network.{name}": depth for name, depth in timm_network.parameter_depths(self.network).items()}


def describe_backbone(name: str) -> BackboneFacts:
    """Return what pictures a backbone expects, without building it.

    Raises:
        ConfigError: The name is unknown.
    """
    if name.startswith(TIMM_PREFIX):
        published = timm_network.pretrained_config(name.removeprefix(TIMM_PREFIX))
        (red, green, blue), (red_std, green_std, blue_std) = published.mean, published.std
        return BackboneFacts(
            image_size=published.input_size[-1],
            has_fixed_size=published.fixed_input_size,
            mean=(red, green, blue),
            std=(red_std, green_std, blue_std),
        )
    if name not in _RESNETS:
        raise ConfigError(_unknown_backbone(name))
    return BackboneFacts()


def build_backbone(
    name: str, *, stem: Stem = "imagenet", stochastic_depth: float = 0.0, zero_init_residual: bool = False
) -> Backbone:
    """Build a backbone with random weights: "resnet50" is ours, "timm:mobilenetv2_100" is timm's.

    "resnet18-half" is a ResNet-18 with half the channels, about 2.8 million parameters.

    Raises:
        ConfigError: The name is unknown, or an option does not fit the network.
    """
    facts = describe_backbone(name)
    if name.startswith(TIMM_PREFIX):
        if stem != "imagenet" or zero_init_residual:
            raise ConfigError(
                f'stem="small" and zero_init_residual=True exist only for our own networks ({", ".join(_RESNETS)}), '
                f"not for {name!r}; leave them at their defaults."
            )
        return TimmBackbone(name, facts, stochastic_depth=stochastic_depth)
    network = _RESNETS[name](
        num_classes=0, stem=stem, stochastic_depth=stochastic_depth, zero_init_residual=zero_init_residual
    )
    return ResNetBackbone(name, network, facts)


def _unknown_backbone(name: str) -> str:
    near = get_close_matches(name, _RESNETS, n=3) + [TIMM_PREFIX + timm for timm in timm_network.near_names(name)]
    return (
        f"There is no backbone {name!r}; nearest: {', '.join(near) or 'nothing has a similar name'}. "
        f"Ours are {', '.join(_RESNETS)}; timm's are written {TIMM_PREFIX}NAME."
    )
