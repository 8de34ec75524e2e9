"""timm's networks as backbones."""

from torch import Tensor

from discern.models import timm_network
from discern.models.backbone_contract import Backbone, BackboneFacts

TIMM_PREFIX = "timm:"


class TimmBackbone(Backbone):
    """A network of timm without its classifier."""

    def __init__(self, name: str, facts: BackboneFacts, *, stochastic_depth: float) -> None:
        network = timm_network.create_network(name.removeprefix(TIMM_PREFIX), stochastic_depth=stochastic_depth)
        super().__init__(name, network, facts, num_features=timm_network.count_features(network))

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w); tokens of a transformer are arranged as a map.

        Raises:
            ConfigError: The network has no such map.
        """
        return timm_network.forward_map(self.network, images)

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature map (N, C, h, w) to the pooled features (N, F).

        Raises:
            ConfigError: The features are not computed from that map alone, but for instance by a class token.
        """
        return timm_network.pool_map(self.network, maps)

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return the stem and one layer for each of timm's coarse groups; a final norm belongs to the last layer."""
        stages = timm_network.stage_prefixes(self.network)
        return {stage: tuple(f"network.{prefix}" for prefix in prefixes) for stage, prefixes in stages.items()}

    def synchronize_batchnorm(self) -> None:
        """Let every BatchNorm use the batches of all processes; names of parameters stay the same."""
        self.network = timm_network.synchronize_batchnorm(self.network)

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every one of timm's fine groups."""
        return {f"network.{name}": depth for name, depth in timm_network.parameter_depths(self.network).items()}


def describe_timm_backbone(name: str) -> BackboneFacts:
    """Return what pictures the weights of "timm:NAME" were trained with, without building the network.

    Raises:
        ConfigError: timm has no such network.
    """
    published = timm_network.pretrained_config(name.removeprefix(TIMM_PREFIX))
    (red, green, blue), (red_std, green_std, blue_std) = published.mean, published.std
    return BackboneFacts(
        image_size=published.input_size[-1],
        has_fixed_size=published.fixed_input_size,
        mean=(red, green, blue),
        std=(red_std, green_std, blue_std),
    )
