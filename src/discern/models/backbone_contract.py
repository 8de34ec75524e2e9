"""What every backbone offers, whether its network is ours, timm's or a user's."""

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn

from discern.errors import ConfigError


class BackboneFacts(NamedTuple):
    """The images that a backbone expects: those that its published weights were trained with."""

    image_size: int = 224
    """Height and width in pixels."""
    has_fixed_size: bool = False
    """Whether it takes images of that size only."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Mean of the red, green and blue channel, for images in [0, 1]; by default ImageNet's."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


class Backbone(nn.Module, ABC):
    """Turns images into pooled features, and knows its own stages.

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
        """Map the last feature map (N, C, h, w), from `forward_map`, to the pooled features (N, F)."""

    @abstractmethod
    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the modules and parameters of each stage, "stem" first, then "layer1" to "layerN".

        A stage contains everything whose name begins with one of these; every parameter and buffer is in exactly one
        stage.
        """

    @abstractmethod
    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every block."""

    def synchronize_batchnorm(self) -> None:
        """Let every BatchNorm use the batches of all processes; names of parameters stay the same."""
        self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)  # type: ignore[no-untyped-call]

    def check_image_size(self, image_size: int) -> None:
        """Check that the network takes images of this height and width in pixels.

        Raises:
            ConfigError: The network, for instance a vision transformer, has one fixed size.
        """
        if self.has_fixed_size and image_size != self.image_size:
            raise ConfigError(
                f"The image size is {image_size}, but {self.name} takes pictures of {self.image_size} pixels only; "
                f"use {self.image_size} or a convolutional backbone."
            )
