"""The names of timm's networks, and what it says of the weights that it publishes for them.

timm is imported only inside functions: it takes more than a second, and our own networks do not need it.
"""

import warnings
from difflib import get_close_matches
from importlib import import_module
from typing import Protocol, cast

from discern.errors import ConfigError

with warnings.catch_warnings():
    # timm and the Hub's client import it, too; in a notebook it would advise to install widgets, which nothing needs.
    warnings.simplefilter("ignore")
    import_module("tqdm.auto")


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
