"""What every backbone offers, whether its network is ours, timm's or a user's."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.stage_features import Features, count_stage_features, describe_stages


class BackboneFacts(NamedTuple):
    """The images that a backbone expects: those that its published weights were trained with."""

    image_size: int = 224
    """Height and width in pixels."""
    has_fixed_size: bool = False
    """Whether it takes images of the size only that it is built for: this one, unless `set_image_size` changes it."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Mean of the red, green and blue channel, for images in [0, 1]; by default ImageNet's."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Attention(NamedTuple):
    """What a transformer computes for images, with the attention that its tokens pay to each other in each block.

    The first `num_prefix_tokens` of the T tokens, such as a class token, stand for no place in the picture; the others
    are its patches, row by row.
    """

    features: Tensor
    """Pooled, (N, F)."""
    tokens: Tensor
    """Behind the last block, (N, T, C)."""
    weights: tuple[Tensor, ...]
    """Of each block, (N, H, T, T) for H heads: how much of each token of the last axis goes into one of the third."""
    num_prefix_tokens: int


class Backbone(nn.Module, ABC):
    """Turns images into pooled features, and knows its own stages.

    Attributes:
        name: What `build_backbone` calls it.
        network: The network itself; its state dict has the names of the published weights.
        num_features: F, the length of the pooled features.
        num_last_features: How many of them are averages of the last feature map: all, unless more is read.
        reading: What the features hold; see `Features`.
        image_size: As in `BackboneFacts`, like `has_fixed_size`, `mean` and `std`; later that of `set_image_size`.
        has_attention: Whether `forward_attention` works.
    """

    has_attention = False

    def __init__(self, name: str, network: nn.Module, facts: BackboneFacts, *, num_features: int) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.num_features = self.num_last_features = num_features
        self.reading: Features = "last"
        self.image_size, self.has_fixed_size, self.mean, self.std = facts

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to pooled features (N, F), those of the last feature map first."""
        if self.reads_more:
            return self.pool_maps(self.forward_maps(images))
        features: Tensor = self.network(images)
        return features

    @abstractmethod
    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w)."""

    @abstractmethod
    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature map (N, C, h, w), from `forward_map`, to the pooled features (N, F)."""

    def find_stage_widths(self) -> tuple[int, ...]:
        """Return the channels of the upper stages' maps that `forward_stages` gives; none where there are none."""
        return ()

    def forward_stages(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w), and to the maps of the upper stages.

        Raises:
            ConfigError: The stages of the network give no such maps.
        """
        raise ConfigError(f"the stages of {self.name} give no feature maps for {len(images)} pictures")

    def read(self, reading: Features) -> None:
        """Let the features hold more than the averages of the last feature map.

        Source: Evci, Dumoulin, Larochelle, Mozer, "Head2Toe: utilizing intermediate representations for better transfer
        learning", 2022, https://arxiv.org/abs/2201.03529; here the maps of two or three stages, and without a selection
        of features. For the covariances see `stage_features.pair_channels`.

        Raises:
            ConfigError: The stages of the network give no feature maps.
        """
        widths = self.find_stage_widths()
        if reading != "last" and not widths:
            raise ConfigError(
                f"model.features={reading} needs the feature maps of a convolutional network, which {self.name} does "
                "not give; use model.features=last"
            )
        self.reading = reading
        self.num_features = self.num_last_features + count_stage_features(widths, reading)

    @property
    def reads_more(self) -> bool:
        """Whether the features hold more than the averages of the last feature map."""
        return self.reading != "last"

    @property
    def key(self) -> str:
        """What tells its features from those of others."""
        return f"{self.name} with {self.reading}" if self.reads_more else self.name

    def forward_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map images (N, 3, H, W) to all maps (N, C, h, w) that the features are made of, the last one first.

        Raises:
            ConfigError: As `forward_map`.
        """
        if not self.reads_more:
            return (self.forward_map(images),)
        last, stages = self.forward_stages(images)
        return last, *stages

    def pool_maps(self, maps: Sequence[Tensor]) -> Tensor:
        """Map what `forward_maps` gives to the features (N, F).

        Raises:
            ConfigError: As `pool_map`.
        """
        last, *stages = maps
        pooled = self.pool_map(last)
        # Of one type, since the head may be in float16 without autocast.
        others = [one.type_as(pooled) for one in describe_stages(stages, self.reading)]
        return torch.cat([pooled, *others], dim=1)

    def select_last(self, features: Tensor) -> Tensor:
        """Return those of the features (N, F) that are averages of the last feature map."""
        return features[:, : self.num_last_features]

    def forward_attention(self, images: Tensor) -> Attention:
        """Map images (N, 3, H, W) to the pooled features, with the attention of each block on the way there.

        Raises:
            ConfigError: The network is no transformer whose tokens all attend to each other.
        """
        raise ConfigError(f"{self.name} has no attention between all patches of {len(images)} pictures")

    @abstractmethod
    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the modules and parameters of each stage, "stem" first, then "layer1" to "layerN".

        A stage contains everything whose name begins with one of these; every parameter and buffer is in exactly one
        stage.
        """

    def blocks(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the modules and parameters of each block, in order; a stage is one or more of them."""
        return self.stages()

    @abstractmethod
    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every block."""

    def parameters_without_decay(self) -> frozenset[str]:
        """Return the names of the parameters, besides norms and biases, that weight decay would harm."""
        return frozenset()

    def synchronize_batchnorm(self) -> None:
        """Let every BatchNorm use the batches of all processes; names of parameters stay the same."""
        self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)  # type: ignore[no-untyped-call]

    def set_image_size(self, image_size: int) -> None:
        """Build the network for images of this height and width in pixels; most take any size as they are.

        Raises:
            ConfigError: It cannot be built for that size.
        """
        self.check_image_size(image_size)

    def find_nearest_size(self, image_size: int) -> int:
        """Return the size nearest to this one, in pixels, that the network can be built for."""
        return self.image_size if self.has_fixed_size else image_size

    def find_trained_size(self, tensors: Mapping[str, Tensor]) -> int:  # noqa: ARG002 - few networks show it
        """Return the size of the images, in pixels, that the network of these weights is built for."""
        return self.image_size

    def check_image_size(self, image_size: int) -> None:
        """Check that the network, as it is built, takes images of this height and width in pixels.

        Raises:
            ConfigError: The network, for instance a vision transformer, has one fixed size.
        """
        if self.has_fixed_size and image_size != self.image_size:
            raise ConfigError(
                f"The image size is {image_size}, but {self.name} takes pictures of {self.image_size} pixels only; "
                f"use {self.image_size} everywhere (image_scale=1), or a convolutional backbone."
            )
