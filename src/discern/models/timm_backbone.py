"""timm's networks as backbones."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from discern.errors import ConfigError
from discern.models import timm_attention, timm_layers, timm_maps, timm_names, timm_network, timm_stages
from discern.models.backbone_contract import Attention, Backbone, BackboneFacts

TIMM_PREFIX = "timm:"


class TimmBackbone(Backbone):
    """A network of timm without its classifier."""

    def __init__(self, name: str, facts: BackboneFacts, *, stochastic_depth: float) -> None:
        network = timm_network.create_network(name.removeprefix(TIMM_PREFIX), stochastic_depth=stochastic_depth)
        super().__init__(name, network, facts, num_features=timm_network.count_features(network))
        self.has_attention = timm_attention.has_attention(network)
        takes_other_sizes = not facts.has_fixed_size or timm_network.can_be_resized(network)
        self._patch_pixels = timm_network.find_patch_size(network) if takes_other_sizes else None

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w); tokens of a transformer are arranged as a map.

        Raises:
            ConfigError: The network has no such map.
        """
        return timm_maps.forward_map(self.network, images)

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature map (N, C, h, w) to the pooled features (N, F).

        Raises:
            ConfigError: The features are not computed from that map alone, but for instance by a class token.
        """
        return timm_maps.pool_map(self.network, maps)

    def find_stage_widths(self) -> tuple[int, ...]:
        """Return the channels of the last three of timm's stages, without one that ends in the last feature map."""
        return timm_maps.find_stage_widths(self.network)

    def forward_stages(self, images: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w), and to the maps of these stages."""
        return timm_maps.forward_stages(self.network, images)

    def forward_attention(self, images: Tensor) -> Attention:
        """Map images (N, 3, H, W) to the pooled features, with the attention of each block on the way there.

        Raises:
            ConfigError: The network is no transformer whose tokens all attend to each other.
        """
        if not self.has_attention:
            return super().forward_attention(images)
        return timm_attention.forward_attention(self.network, images)

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the stem and timm's coarse groups, or quarters of the blocks of a network that has no such groups.

        In a vision transformer the stem is the patch embedding with class token and position embeddings; of twelve
        blocks, three each are layer1 to layer4. A final norm belongs to the last layer.
        """
        return _in_network(timm_stages.stage_prefixes(self.network))

    def blocks(self) -> dict[str, tuple[str, ...]]:
        """Return the stem and timm's fine groups by the name of their block, such as "blocks.11"."""
        return _in_network(timm_stages.block_prefixes(self.network))

    def synchronize_batchnorm(self) -> None:
        """Let every BatchNorm use the batches of all processes; names of parameters stay the same."""
        self.network = timm_layers.synchronize_batchnorm(self.network)

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every one of timm's fine groups."""
        return {f"network.{name}": depth for name, depth in timm_stages.parameter_depths(self.network).items()}

    def parameters_without_decay(self) -> frozenset[str]:
        """Return what timm trains without weight decay: class tokens, position embeddings and the like."""
        return frozenset(f"network.{name}" for name in timm_network.parameters_without_decay(self.network))

    def set_image_size(self, image_size: int) -> None:
        """Build the network for images of this height and width; position embeddings are interpolated.

        Raises:
            ConfigError: It is no multiple of the size of a patch, or the network has one fixed size.
        """
        step = self._patch_pixels
        if step is None:
            super().set_image_size(image_size)
        elif image_size < step or image_size % step:
            below = image_size // step * step
            near = f"{below} or {below + step}" if below else f"{step}"
            raise ConfigError(
                f"The image size is {image_size}, but {self.name} divides pictures into patches of {step} pixels; "
                f"use {near}."
            )
        elif self.has_fixed_size and image_size != self.image_size:
            timm_network.resize(self.network, image_size)
            self.image_size = image_size

    def find_nearest_size(self, image_size: int) -> int:
        """Return the multiple of the patch size nearest to this size, in pixels, where the network has patches."""
        step = self._patch_pixels
        return super().find_nearest_size(image_size) if step is None else max(step, step * round(image_size / step))

    def find_trained_size(self, tensors: Mapping[str, Tensor]) -> int:
        """Return the size of the images, in pixels, that the network of these weights is built for.

        Their number of position embeddings shows it.
        """
        if self._patch_pixels is None or not self.has_fixed_size:
            return self.image_size
        rows = timm_network.find_trained_rows(self.network, tensors)
        return self.image_size if rows is None else rows * self._patch_pixels


def _in_network(parts: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(f"network.{prefix}" for prefix in prefixes) for name, prefixes in parts.items()}


def describe_timm_backbone(name: str) -> BackboneFacts:
    """Return what pictures the weights of "timm:NAME" were trained with, without building the network.

    Raises:
        ConfigError: timm has no such network.
    """
    published = timm_names.pretrained_config(name.removeprefix(TIMM_PREFIX))
    (red, green, blue), (red_std, green_std, blue_std) = published.mean, published.std
    return BackboneFacts(
        image_size=published.input_size[-1],
        has_fixed_size=published.fixed_input_size,
        mean=(red, green, blue),
        std=(red_std, green_std, blue_std),
    )
