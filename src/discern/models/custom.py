"""A user's own network as a classifier: its last linear layer becomes the head, the rest the backbone."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from discern.errors import ConfigError
from discern.models.backbone_contract import BackboneFacts
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.models.wrapped_backbone import WrappedBackbone, takes_other_sizes, try_network

Network = nn.Module | Callable[[int], nn.Module]
"""A network of the user's, or a function that returns one for a number of classes."""

_DEFAULT = BackboneFacts()


def wrap_network(
    network: Network,
    num_classes: int,
    *,
    image_size: int = _DEFAULT.image_size,
    mean: tuple[float, float, float] = _DEFAULT.mean,
    std: tuple[float, float, float] = _DEFAULT.std,
) -> Classifier:
    """Return a classifier around a user's own network.

    The classifier has a deep copy of a network that is given: training does not change the user's object. The same
    argument gives a classifier with the same names of parameters, into which trained weights can be loaded.

    Args:
        network: Maps images (N, 3, H, W) to logits (N, K), and ends in an `nn.Linear`; or a function that returns such
            a network for a number of classes.
        num_classes: K.
        image_size: Height and width of the images in pixels that the network is made for. Whether it takes others
            too is tried out.
        mean: Of the red, green and blue channel, for images in [0, 1], by which images are normalised; ImageNet's.
        std: The same for the standard deviation.

    Raises:
        ConfigError: It is no network, does not take such images, does not give K logits an image, or does not end in
            an `nn.Linear`.
    """
    built = copy.deepcopy(network) if isinstance(network, nn.Module) else network(num_classes)
    if not isinstance(built, nn.Module):
        raise ConfigError(f"network= gave a {type(built).__name__}; expected a torch.nn.Module")
    name = type(built).__name__
    if not any(True for _ in built.parameters()):
        raise ConfigError(f"{name} has no parameters; expected a network that can be trained")
    layer_name, features = _find_last_layer(built, name, image_size, num_classes)
    facts = BackboneFacts(image_size, not takes_other_sizes(built, image_size), mean, std)
    layer = built.get_submodule(layer_name)
    _replace_layer(built, layer_name)
    if not torch.equal(_as_tensor(try_network(name, built, image_size)), features):
        raise ConfigError(f"{name} computes something else behind its last linear layer {layer_name}; {_EXPECTED}")
    return Classifier(WrappedBackbone(name, built, facts), _build_head(layer))


_EXPECTED = "expected a network whose logits are what an nn.Linear gives, without a softmax behind it"


def _find_last_layer(network: nn.Module, name: str, image_size: int, num_classes: int) -> tuple[str, Tensor]:
    """Return the name of the linear layer that gives the logits, and what goes into it, (N, F)."""
    seen: list[tuple[str, Tensor, Tensor]] = []

    def watch(layer_name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def keep(_layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen.append((layer_name, inputs[0], output))

        return layer.register_forward_hook(keep)

    layers = [(key, layer) for key, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    handles = [watch(key, layer) for key, layer in layers]
    try:
        logits = try_network(name, network, image_size)
    finally:
        for handle in handles:
            handle.remove()
    _check_logits(logits, name, num_classes)
    last = [(key, features) for key, features, output in seen if torch.equal(output, _as_tensor(logits))]
    if not last or last[-1][1].ndim != 2:
        raise ConfigError(f"{name} does not end in a linear layer; {_EXPECTED}")
    return last[-1]


def _check_logits(logits: object, name: str, num_classes: int) -> None:
    """Raise unless these are K logits for each of two images."""
    given = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
    if given == (2, num_classes):
        return
    hint = ""
    if isinstance(logits, Tensor) and logits.ndim == 2:
        hint = (
            f". Build it with {num_classes} outputs, or give a function that takes the number of classes and builds it"
        )
    raise ConfigError(
        f"{name} gives {given} for two images; expected logits of shape (2, {num_classes}), one for each of "
        f"the {num_classes} classes{hint}"
    )


def _as_tensor(outputs: object) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else torch.empty(0)


def _replace_layer(network: nn.Module, layer_name: str) -> None:
    """Put nothing in the place of a layer, so that its input comes out of the network."""
    parent, _, child = layer_name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())


def _build_head(layer: nn.Module) -> nn.Module:
    """Return a head with the weights of a linear layer."""
    if not isinstance(layer, nn.Linear) or layer.bias is None:
        return layer
    head = LinearHead(layer.in_features, layer.out_features)
    head.layers[1] = layer
    return head
