"""Backbones by name: ours, timm's, and those that users register."""

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from discern.errors import ConfigError
from discern.models import timm_names
from discern.models.backbone_contract import Backbone, BackboneFacts
from discern.models.resnet import Stem
from discern.models.resnet_backbone import RESNETS, build_resnet_backbone
from discern.models.timm_backbone import TIMM_PREFIX, TimmBackbone, describe_timm_backbone
from discern.models.wrapped_backbone import WrappedBackbone
from discern.registry import Registry

__all__ = [
    "BACKBONES",
    "TIMM_PREFIX",
    "Backbone",
    "BackboneEntry",
    "BackboneFacts",
    "build_backbone",
    "describe_backbone",
    "has_small_stem",
    "has_stage_maps",
    "register_backbone",
]

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])


class BackboneEntry(NamedTuple):
    """How a registered backbone is built, and what pictures it expects."""

    build: Callable[..., nn.Module]
    facts: BackboneFacts


_OPTIONS = {"stem": "imagenet", "stochastic_depth": 0.0, "zero_init_residual": False}
"""Each option of a builder with its default."""

BACKBONES: Registry[BackboneEntry] = Registry("backbone")


def register_backbone(name: str, facts: BackboneFacts | None = None) -> Callable[[Builder], Builder]:
    """Return a decorator that adds a backbone under a name that settings can give as `model.backbone`.

    What is decorated is a function that returns a network with random weights, images (N, 3, H, W) to pooled features
    (N, F). Its children that have parameters become the stages "stem", "layer1" ..., in their order. A function that
    returns a `Backbone` decides on stages and depths itself. The function may take any of the keywords `stem`,
    `stochastic_depth` and `zero_init_residual`; other values than their defaults are refused if it does not take them.

    Args:
        name: Without "timm:" at its beginning.
        facts: What pictures the network expects; by default 224 pixels and ImageNet's mean and deviation.

    Raises:
        ConfigError: The name is taken.
    """
    if name.startswith(TIMM_PREFIX):
        raise ConfigError(f"backbone {name!r} cannot be registered: {TIMM_PREFIX} stands for timm's; take another name")
    register = BACKBONES.register(name)

    def add(build: Builder) -> Builder:
        register(BackboneEntry(build, facts or BackboneFacts()))
        return build

    return add


for _name in RESNETS:
    register_backbone(_name)(partial(build_resnet_backbone, _name))


def describe_backbone(name: str) -> BackboneFacts:
    """Return what pictures a backbone expects, without building it.

    Raises:
        ConfigError: The name is unknown.
    """
    return describe_timm_backbone(name) if name.startswith(TIMM_PREFIX) else _find_entry(name).facts


def has_small_stem(name: str) -> bool:
    """Return whether a backbone can be built with the stem for pictures of about 32x32 pixels.

    Raises:
        ConfigError: The name is unknown.
    """
    return not name.startswith(TIMM_PREFIX) and "stem" in _find_options(_find_entry(name).build)


def has_stage_maps(name: str) -> bool:
    """Return whether the stages of a backbone give feature maps, so that it can read them.

    Raises:
        ConfigError: The name is unknown.
    """
    with torch.device("meta"):
        return bool(name in RESNETS or (name.startswith(TIMM_PREFIX) and build_backbone(name).find_stage_widths()))


def build_backbone(
    name: str,
    *,
    stem: Stem = "imagenet",
    stochastic_depth: float = 0.0,
    zero_init_residual: bool = False,
    image_size: int | None = None,
) -> Backbone:
    """Build a backbone with random weights: "resnet50" is ours, "timm:mobilenetv2_100" is timm's.

    Args:
        name: As settings give it.
        stem: "small" for pictures of about 32x32 pixels.
        stochastic_depth: Drop rate of the deepest block.
        zero_init_residual: Start each residual branch at zero.
        image_size: Height and width of the images in pixels; by default those that its weights were trained with.

    Raises:
        ConfigError: The name is unknown, or an option does not fit the network.
    """
    options = {"stem": stem, "stochastic_depth": stochastic_depth, "zero_init_residual": zero_init_residual}
    backbone = _build_native(name, options)
    if image_size is not None:
        backbone.set_image_size(image_size)
    return backbone


def _build_native(name: str, options: dict[str, Any]) -> Backbone:
    """Build a backbone for images of the size that its weights were trained with."""
    if name.startswith(TIMM_PREFIX):
        if options["stem"] != "imagenet" or options["zero_init_residual"]:
            raise ConfigError(
                f'stem="small" and zero_init_residual=True exist only for our own networks ({", ".join(RESNETS)}), '
                f"not for {name!r}; leave them at their defaults."
            )
        return TimmBackbone(name, describe_backbone(name), stochastic_depth=options["stochastic_depth"])
    entry = _find_entry(name)
    network = entry.build(**_choose_options(name, entry.build, options))
    return network if isinstance(network, Backbone) else WrappedBackbone(name, network, entry.facts)


def _choose_options(name: str, build: Callable[..., nn.Module], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a builder takes; those it does not take must be at their defaults."""
    taken = _find_options(build)
    refused = [option for option in options if option not in taken and options[option] != _OPTIONS[option]]
    if refused:
        raise ConfigError(
            f"backbone {name!r} has no {', '.join(refused)}; leave model.{refused[0]} at {_OPTIONS[refused[0]]!r}"
        )
    return {option: value for option, value in options.items() if option in taken}


def _find_options(build: Callable[..., nn.Module]) -> set[str]:
    """Return the options of `_OPTIONS` that a builder takes by name, or all of them if it takes any keyword."""
    parameters = inspect.signature(build).parameters
    takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
    return {option for option in _OPTIONS if takes_any or option in parameters}


def _find_entry(name: str) -> BackboneEntry:
    if name in BACKBONES:
        return BACKBONES[name]
    near = get_close_matches(name, BACKBONES, n=3) + [TIMM_PREFIX + timm for timm in timm_names.near_names(name)]
    raise ConfigError(
        f"There is no backbone {name!r}; nearest: {', '.join(near) or 'nothing has a similar name'}. "
        f"Ours are {', '.join(BACKBONES)}; timm's are written {TIMM_PREFIX}NAME."
    )
