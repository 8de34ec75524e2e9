"""Any network of a user's that gives pooled features, as a backbone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.backbone_contract import Backbone, BackboneFacts

_OTHER_SIZE_PIXELS = 32
"""By how much larger images are with which a network is tried, to see whether it takes more than one size."""


class WrappedBackbone(Backbone):
    """A network that maps images (N, 3, H, W) to pooled features (N, F), with stages taken from its structure.

    The network is tried once with random images in eval mode, which changes nothing in it.

    Args:
        name: For messages.
        network: Its children that have parameters become the stages, in their order.
        facts: What pictures it expects.

    Raises:
        ConfigError: The network does not take such images, gives something else, or has nothing to train.
    """

    def __init__(self, name: str, network: nn.Module, facts: BackboneFacts) -> None:
        if not isinstance(network, nn.Module):
            raise ConfigError(f"backbone {name!r} is a {type(network).__name__}; expected a torch.nn.Module")
        if not any(True for _ in network.parameters()):
            raise ConfigError(f"backbone {name!r} has no parameters; expected a network that can be trained")
        trial = _try(name, network, facts.image_size)
        super().__init__(name, network, facts, num_features=trial.features.shape[1])
        self._map_name = trial.map_name
        self._is_mean_of_map = trial.maps is not None and _is_mean(trial.maps, trial.features)

    def forward_map(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last feature map (N, C, h, w) that one of the modules gives.

        Raises:
            ConfigError: None of them gives one.
        """
        if self._map_name is None:
            raise ConfigError(
                f"No module of {self.name} gives a feature map (N, C, h, w); choose a convolutional network."
            )
        found: list[Tensor] = []
        handle = self.network.get_submodule(self._map_name).register_forward_hook(
            lambda _module, _inputs, output: found.append(output)
        )
        try:
            self.network(images)
        finally:
            handle.remove()
        return found[-1]

    def pool_map(self, maps: Tensor) -> Tensor:
        """Map the last feature map (N, C, h, w) to its averages (N, F).

        Raises:
            ConfigError: The features are something else than these averages.
        """
        if not self._is_mean_of_map:
            raise ConfigError(
                f"The features of {self.name} are not the averages of its last feature map; choose a network that ends "
                "in average pooling, such as resnet50."
            )
        return maps.mean(dim=(2, 3))

    def stages(self) -> dict[str, tuple[str, ...]]:
        """Return "stem", "layer1" ...: the children of the network that have parameters, in their order.

        Where a network has only one such child, that one's children are taken. Parameters beside the children belong
        to the stem; children that only have buffers belong to the stage before them.
        """
        return dict(self._find_stages())

    def parameter_depths(self) -> dict[str, int]:
        """Return the depth of every parameter: 0 in the stem, then one more for every stage."""
        return {
            name: depth
            for name, _ in self.named_parameters()
            for depth, (_, prefixes) in enumerate(self._find_stages())
            if f"{name}.".startswith(tuple(f"{prefix}." for prefix in prefixes))
        }

    def _find_stages(self) -> list[tuple[str, tuple[str, ...]]]:
        prefix, module = _descend("network", self.network)
        own = [*module.named_parameters(prefix, recurse=False), *module.named_buffers(prefix, recurse=False)]
        leading, groups = [name for name, _ in own], list[list[str]]()
        for child_name, child in module.named_children():
            if any(True for _ in child.parameters()):
                groups.append([])
            if any(True for _ in (*child.parameters(), *child.buffers())):
                (groups[-1] if groups else leading).append(f"{prefix}.{child_name}")
        groups = groups or [[]]
        groups[0] = leading + groups[0]
        return [(f"layer{place}" if place else "stem", tuple(names)) for place, names in enumerate(groups)]


class _Trial(NamedTuple):
    """What a network gave for two images: its features, and its last feature map with the module that gave it."""

    features: Tensor
    map_name: str | None
    maps: Tensor | None


def try_network(name: str, network: nn.Module, image_size: int) -> object:
    """Return what a network gives in eval mode for two images (2, 3, H, W), always the same random ones.

    Raises:
        ConfigError: It does not take them.
    """
    try:
        return _run_in_eval_mode(network, image_size)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ConfigError(
            f"{name} does not take images of shape (2, 3, {image_size}, {image_size}): {error}. It must take colour "
            "images (N, 3, H, W); give the height and width that it is made for as image_size"
        ) from error


def takes_other_sizes(network: nn.Module, image_size: int) -> bool:
    """Return whether a network takes images of another size than this one, in pixels."""
    try:
        _run_in_eval_mode(network, image_size + _OTHER_SIZE_PIXELS)
    except (RuntimeError, ValueError, AssertionError):
        return False
    return True


@torch.no_grad()
def _run_in_eval_mode(network: nn.Module, image_size: int) -> object:
    """Return what a network gives for random images; each of its modules stays in its own mode."""
    like = next(network.parameters(), torch.empty(0))
    images = torch.randn(2, 3, image_size, image_size, generator=torch.Generator().manual_seed(0))
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        return network(images.to(device=like.device, dtype=like.dtype))
    finally:
        for module, mode in modes:
            module.training = mode


def _try(name: str, network: nn.Module, image_size: int) -> _Trial:
    with _watching_maps(network) as maps:
        features = try_network(name, network, image_size)
    if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != 2:
        given = tuple(features.shape) if isinstance(features, Tensor) else f"a {type(features).__name__}"
        raise ConfigError(f"{name} gives {given} for two images; expected pooled features of shape (2, F)")
    # Maps of one pixel are pooled already.
    wide = [(module_name, output) for module_name, output in maps if output.shape[-1] * output.shape[-2] > 1]
    return _Trial(features, *(wide[-1] if wide else (None, None)))


@contextmanager
def _watching_maps(network: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """Collect the outputs (N, C, h, w) of all modules, with their names, in the order in which they are done."""
    maps: list[tuple[str, Tensor]] = []

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                maps.append((name, output))

        return module.register_forward_hook(keep)

    handles = [watch(name, module) for name, module in network.named_modules()]
    try:
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _is_mean(maps: Tensor, features: Tensor) -> bool:
    means = maps.mean(dim=(2, 3))
    return means.shape == features.shape and torch.allclose(means, features, rtol=1e-3, atol=1e-5)


def _descend(prefix: str, module: nn.Module) -> tuple[str, nn.Module]:
    """Go down as long as a module has nothing of its own but one child."""
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.state_dict())]
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    if own or len(children) != 1 or not any(True for _ in children[0][1].children()):
        return prefix, module
    name, child = children[0]
    return _descend(f"{prefix}.{name}", child)
