"""Creates networks of timm, and fits them to a size of images.

timm is imported only inside functions: it takes more than a second, and our own networks do not need it.
"""

import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol, cast

from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.timm_names import pretrained_config


class TimmNetwork(Protocol):
    """What a network of timm offers in addition to `nn.Module`."""

    num_features: int
    feature_info: list[dict[str, Any]]

    def group_matcher(self, *, coarse: bool) -> dict[str, object]:
        """Return what divides parameters into groups by their names."""

    def set_input_size(self, img_size: tuple[int, int]) -> None:
        """Rebuild what depends on height and width of the images; only transformers have this."""

    def forward_features(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last map or to tokens (N, T, C)."""

    def forward_head(self, features: Tensor) -> Tensor:
        """Map these to pooled features (N, F)."""

    def forward_intermediates(self, images: Tensor, *, indices: list[int]) -> tuple[Tensor, list[Tensor]]:
        """Map images (N, 3, H, W) to the same as `forward_features`, and to the maps of these stages."""


def create_network(name: str, *, stochastic_depth: float = 0.0) -> nn.Module:
    """Create a network of timm by its name there ("mobilenetv2_100", "resnet50.tv_in1k"), without its classifier.

    Weights are random; nothing is downloaded.

    Raises:
        ConfigError: timm has no such network, or the network has no stochastic depth.
    """
    import timm

    # Passed even when 0, because some networks of timm have stochastic depth by default.
    options: dict[str, Any] = {"drop_path_rate": stochastic_depth}
    if pretrained_config(name).fixed_input_size:
        # A few would interpolate their position embeddings anew for each batch, which `resize` does once.
        options["dynamic_img_size"] = False
    while True:
        try:
            return timm.create_model(name, pretrained=False, num_classes=0, **options)
        except TypeError as error:
            unknown = next((option for option in options if option in str(error)), None)
            if unknown is None:
                raise
            if unknown == "drop_path_rate" and stochastic_depth:
                raise ConfigError(
                    f"stochastic_depth is {stochastic_depth:g}, but timm's {name!r} has no stochastic depth; "
                    "leave it at 0."
                ) from error
            del options[unknown]


def count_features(network: nn.Module) -> int:
    """Return the length of the pooled features; some networks widen them after pooling."""
    hidden = getattr(network, "head_hidden_size", None)
    return int(hidden or cast("TimmNetwork", network).num_features)


def parameters_without_decay(network: nn.Module) -> list[str]:
    """Return the names of the parameters that timm trains without weight decay, besides norms and biases."""
    listed: Iterable[str] = getattr(network, "no_weight_decay", tuple)()
    patterns = tuple(listed)
    return [name for name, _ in network.named_parameters() if any(fnmatchcase(name, one) for one in patterns)]


def find_patch_size(network: nn.Module) -> int | None:
    """Return the side of the patches in pixels into which a network divides pictures; None for another network."""
    patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
    return int(patch[0]) if isinstance(patch, tuple) and len(set(patch)) == 1 else None


def can_be_resized(network: nn.Module) -> bool:
    """Return whether a network has position embeddings that `resize` can interpolate, or computes (rotary ones)."""
    has_positions = any(getattr(network, name, None) is not None for name in ("pos_embed", "rope"))
    return hasattr(network, "set_input_size") and has_positions


def resize(network: nn.Module, image_size: int) -> None:
    """Build a network for images of another size, in pixels; position embeddings are interpolated."""
    cast("TimmNetwork", network).set_input_size(img_size=(image_size, image_size))


def find_trained_rows(network: nn.Module, tensors: Mapping[str, Tensor]) -> int | None:
    """Return the rows of patches that weights have position embeddings for; None without such embeddings."""
    found = [tensor for name, tensor in tensors.items() if f".{name}".endswith(".pos_embed") and tensor.ndim == 3]
    if not found:
        return None
    num_others = 0 if getattr(network, "no_embed_class", False) else count_prefix_tokens(network)
    return math.isqrt(max(found[0].shape[1] - num_others, 0)) or None


def count_prefix_tokens(network: nn.Module) -> int:
    """Count the tokens before those of the picture: a class token and registers."""
    return int(getattr(network, "num_prefix_tokens", 0))
