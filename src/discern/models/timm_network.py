"""Creates networks of timm and reads their structure: stages, the depth of each parameter, the last feature map.

timm is imported only inside functions: it takes more than a second, and our own networks do not need it.
"""

import math
import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from discern.errors import ConfigError

with warnings.catch_warnings():
    # timm and the Hub's client import it, too; in a notebook it would advise to install widgets, which nothing needs.
    warnings.simplefilter("ignore")
    import_module("tqdm.auto")

# A name that no group of any network matches; its group is that of the layers after the last block.
_LEFTOVER = "?"

_POOLS_OF_PATCHES = ("avg", "avgmax", "max", "map")
"""timm's names of the ways of pooling that may leave a class token and registers out."""

_MAX_EVEN_STAGES = 4
"""Into so many stages a network is divided whose blocks timm does not group: as many as a ResNet has."""

_UPPER_STAGES = 3
"""How many stages are read; those below see little more than edges and colours."""


class PretrainedConfig(Protocol):
    """The part of timm's description of published weights that is used here."""

    architecture: str
    tag: str | None
    hf_hub_id: str | None
    license: str | None
    input_size: tuple[int, int, int]
    fixed_input_size: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


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


def pretrained_config(name: str) -> PretrainedConfig:
    """Return timm's description of the weights that belong to a network's name.

    Raises:
        ConfigError: timm has no such network or no such weights for it.
    """
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = ", ".join(near_names(architecture)) or "nothing has a similar name"
        raise ConfigError(f"timm has no network {architecture!r}; nearest: {near}. timm.list_models() gives all names.")
    known = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in known:
        raise ConfigError(f"timm has no weights {tag!r} for {architecture!r}; it has {', '.join(known) or 'none'}.")
    return cast("PretrainedConfig", timm.get_pretrained_cfg(name))


def near_names(name: str) -> list[str]:
    """Return up to three names of timm's networks that are similar to `name`."""
    import timm

    return get_close_matches(name, timm.list_models(), n=3)


def list_pretrained_names(part: str) -> list[str]:
    """Return timm's names of networks with pretrained weights that contain `part`; timm has the list itself."""
    import timm

    return list(timm.list_pretrained(f"*{part}*"))


def count_features(network: nn.Module) -> int:
    """Return the length of the pooled features; some networks widen them after pooling."""
    hidden = getattr(network, "head_hidden_size", None)
    return int(hidden or cast("TimmNetwork", network).num_features)


def stage_prefixes(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Group a network into "stem", "layer1", ..., "layerN", each given by the names of its modules or parameters.

    The groups are timm's coarse ones; where timm has none, as for plain vision transformers, the blocks are divided
    into four stages as even as can be. Layers after the last group (final norm, neck) belong to it. Every parameter and
    buffer is in exactly one stage.
    """
    group_of, blocks = _group_states(network, coarse=True), _group_states(network, coarse=False)
    count = max(blocks.values())
    if group_of == blocks and count > _MAX_EVEN_STAGES:
        group_of = {name: block and 1 + _MAX_EVEN_STAGES * (block - 1) // count for name, block in blocks.items()}
    return {
        f"layer{group}" if group else "stem": prefixes for group, prefixes in _list_parts(network, group_of).items()
    }


def block_prefixes(network: nn.Module) -> dict[str, tuple[str, ...]]:
    """Group a network into "stem" and its blocks by their names, each given as those of `stage_prefixes`."""
    parts = _list_parts(network, _group_states(network, coarse=False))
    return {_name_block(prefixes) if block else "stem": prefixes for block, prefixes in parts.items()}


def _name_block(prefixes: tuple[str, ...]) -> str:
    """Return the first name that ends with a number, as those of blocks do, or else the first name."""
    return next((prefix for prefix in prefixes if prefix.rpartition(".")[2].isdigit()), prefixes[0])


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


def parameter_depths(network: nn.Module) -> dict[str, int]:
    """Return the depth of every parameter of a network: 0 in the stem, then one more for every block."""
    groups = _group_states(network, coarse=False)
    return {name: groups[name] for name, _ in network.named_parameters()}


def forward_map(network: nn.Module, images: Tensor) -> Tensor:
    """Map images (N, 3, H, W) to the last feature map (N, C, h, w); tokens of a transformer are arranged as a map.

    Raises:
        ConfigError: The last features cannot be arranged as a map.
    """
    features = cast("TimmNetwork", network).forward_features(images)
    if features.ndim == 4:
        return features.permute(0, 3, 1, 2) if _is_channels_last(network) else features
    if features.ndim == 3:
        tokens = features[:, count_prefix_tokens(network) :]
        side = math.isqrt(tokens.shape[1])
        if side * side == tokens.shape[1]:
            return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], side, side)
    raise ConfigError(
        f"{type(network).__name__} ends in features of shape {tuple(features.shape)}, which are no map of the picture; "
        "choose a convolutional backbone, such as resnet50."
    )


def find_stage_widths(network: nn.Module) -> tuple[int, ...]:
    """Return the channels of the maps of `forward_stages`; none for a network that has no such maps."""
    if not hasattr(network, "forward_intermediates") or hasattr(network, "num_prefix_tokens"):
        return ()
    stages = cast("TimmNetwork", network).feature_info
    return tuple(int(stages[place]["num_chs"]) for place in _list_upper_stages(network))


def forward_stages(network: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Map images (N, 3, H, W) to the pooled features (N, F), and to the maps of the upper stages (N, C, h, w)."""
    known = cast("TimmNetwork", network)
    last, stages = known.forward_intermediates(images, indices=_list_upper_stages(network))
    return known.forward_head(last), stages


def _list_upper_stages(network: nn.Module) -> list[int]:
    """Return the places of the last three stages, without one that ends in the last feature map."""
    described = cast("TimmNetwork", network)
    count = len(described.feature_info)
    ends_in_last = described.feature_info[-1]["num_chs"] == described.num_features
    return list(range(count)[-_UPPER_STAGES : count - ends_in_last])


def pool_map(network: nn.Module, maps: Tensor) -> Tensor:
    """Map what `forward_map` gives, (N, C, h, w), to the pooled features (N, F) that the network gives.

    Raises:
        ConfigError: The features are not computed from that map alone, for instance because a class token gives them.
    """
    if _pools_patches_alone(network):
        features = maps
        if _is_channels_last(network):
            features = maps.permute(0, 2, 3, 1)
        elif hasattr(network, "num_prefix_tokens"):
            features = maps.flatten(2).transpose(1, 2)
            num_others = count_prefix_tokens(network)
            if num_others:
                # A class token or registers, which pooling leaves out.
                features = torch.cat([features.new_zeros(len(maps), num_others, features.shape[2]), features], dim=1)
        pooled = cast("TimmNetwork", network).forward_head(features)
        if pooled.shape == (len(maps), count_features(network)):
            return pooled
    raise ConfigError(f"The features of {type(network).__name__} are not made of its last feature map alone.")


def count_prefix_tokens(network: nn.Module) -> int:
    """Count the tokens before those of the picture: a class token and registers."""
    return int(getattr(network, "num_prefix_tokens", 0))


def _is_channels_last(network: nn.Module) -> bool:
    return bool(getattr(network, "output_fmt", "NCHW") == "NHWC")


def _pools_patches_alone(network: nn.Module) -> bool:
    """Return whether no class token or register has a share in the features."""
    if not count_prefix_tokens(network):
        return True
    includes_others = getattr(network, "pool_include_prefix", False)
    return getattr(network, "global_pool", "token") in _POOLS_OF_PATCHES and not includes_others


def layers_after_normalizing(norm: nn.Module) -> tuple[str, ...] | None:
    """Return the names of the submodules that timm's BatchNorm calls after normalizing; None for another layer."""
    from timm.layers.norm_act import BatchNormAct2d

    return ("drop", "act") if type(norm) is BatchNormAct2d else None


def pads_by_stride(layer: nn.Module) -> bool:
    """Return whether this is timm's convolution that pads as TensorFlow does: by stride and size of the map."""
    # timm is imported by then if the layer is of timm; otherwise it is not imported only to see that it is not.
    return type(layer).__name__ == "Conv2dSame" and type(layer).__module__.startswith("timm.")


def pad_by_stride(
    maps: Tensor, kernel_size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Tensor:
    """Pad maps (N, C, H, W) as that convolution does before it convolves."""
    from timm.layers.padding import pad_same

    padded: Tensor = pad_same(maps, kernel_size, stride, dilation)  # type: ignore[arg-type]
    return padded


def padding_before(layer: nn.Conv2d, maps: Tensor) -> tuple[int, ...]:
    """Return how many rows and columns that convolution adds above maps (N, C, H, W) and to their left."""
    from timm.layers.padding import get_same_padding

    sizes = zip(maps.shape[-2:], layer.kernel_size, layer.stride, layer.dilation, strict=True)
    return tuple(int(get_same_padding(*size)) // 2 for size in sizes)


def synchronize_batchnorm(network: nn.Module) -> nn.Module:
    """Let every BatchNorm use the batches of all processes; timm's activations inside of them are kept."""
    from timm.layers.norm_act import convert_sync_batchnorm

    return cast("nn.Module", convert_sync_batchnorm(network))  # type: ignore[no-untyped-call]


def _group_states(network: nn.Module, *, coarse: bool) -> dict[str, int]:
    """Number timm's groups of parameters and buffers from 0 without gaps; layers after the last group are added to it.

    Buffers without parameters beside them in no group, such as rotary position embeddings, are used by all blocks and
    belong to the stem.
    """
    from timm.models._manipulate import group_with_matcher

    parameters, buffers = ([name for name, _ in part] for part in (network.named_parameters(), network.named_buffers()))
    matcher = cast("TimmNetwork", network).group_matcher(coarse=coarse)
    named = [(name, None) for name in (*parameters, *buffers, _LEFTOVER)]
    group_of: dict[str, int] = group_with_matcher(iter(named), matcher, reverse=True)
    leftover = group_of.pop(_LEFTOVER)
    groups = sorted(set(group_of.values()) - {leftover})
    renumbered = {group: place for place, group in enumerate(groups)} | {leftover: max(len(groups) - 1, 0)}
    trained = {name.partition(".")[0] for name in parameters}
    shared = {name for name in buffers if group_of[name] == leftover and name.partition(".")[0] not in trained}
    return {name: 0 if name in shared else renumbered[group] for name, group in group_of.items()}


def _list_parts(network: nn.Module, group_of: Mapping[str, int]) -> dict[int, tuple[str, ...]]:
    """Return the names of the modules and parameters of each group, in the order of the groups."""
    prefixes: dict[int, list[str]] = {group: [] for group in sorted(set(group_of.values()))}
    for prefix, group in _cover(network, "", group_of):
        prefixes[group].append(prefix)
    return {group: tuple(names) for group, names in prefixes.items()}


def _cover(module: nn.Module, prefix: str, group_of: Mapping[str, int]) -> list[tuple[str, int]]:
    """Cover the state of `module` with the largest submodules that are in one group, and with single parameters."""
    own = [*module.named_parameters(prefix, recurse=False), *module.named_buffers(prefix, recurse=False)]
    covered = [(name, group_of[name]) for name, _ in own]
    for child_name, child in module.named_children():
        child_prefix = f"{prefix}.{child_name}" if prefix else child_name
        groups = {group for name, group in group_of.items() if name.startswith(f"{child_prefix}.")}
        if len(groups) == 1:
            covered.append((child_prefix, groups.pop()))
        elif groups:
            covered += _cover(child, child_prefix, group_of)
    return covered
