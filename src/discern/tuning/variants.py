"""The variants of a comparison: recipes, and combinations of varied settings."""

import re
from collections.abc import Sequence
from itertools import chain, product
from typing import NamedTuple

from discern.config.load import load_settings
from discern.errors import ConfigError, Option

_COMMA = re.compile(r",(?![^\[\]]*\])")
"""A comma that separates values, outside the brackets of a list."""
_SPLIT_SETTINGS = ("split", "split_file", "split_column", "group_column")


class Variant(NamedTuple):
    """One way of training: a name, a recipe and its overrides."""

    name: str
    recipe: str
    overrides: tuple[str, ...]


def build_variants(recipes: Sequence[str], varied: Sequence[str], overrides: Sequence[str]) -> list[Variant]:
    """Return every recipe with every combination of the varied settings, such as `data.image_size=128,224`.

    Raises:
        ConfigError: A recipe or setting is not understood, there is only one variant, one trains in folds, or the
            split is varied, so that runs could not be compared picture by picture.
    """
    choices = [_parse_choices(text) for text in varied]
    shorten = {choice: _shorten(choice) for choice in chain(*choices)}
    if len(set(shorten.values())) < len(shorten):
        shorten = {choice: choice for choice in shorten}
    variants = []
    for recipe in recipes:
        for chosen in product(*choices):
            name = " ".join([recipe] * (len(recipes) > 1 or not chosen) + [shorten[choice] for choice in chosen])
            variants.append(Variant(name, recipe, (*overrides, *chosen)))
    for variant in variants:
        if load_settings(variant.recipe, variant.overrides).run.folds is not None:
            raise ConfigError(
                f"{variant.name} trains in folds; ways of training are chosen on a validation split, which such a run "
                "has not. Compare them without run.folds, or compare complete runs with discern diff"
            )
    names = [variant.name for variant in variants]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"the same way of training twice: {', '.join(repeated)}; name each recipe and value once")
    if len(variants) < 2:
        raise ConfigError(
            f"there is only one way of training, {names[0]}; name two recipes (",
            Option("--recipes v1,v2", 'recipes=["v1", "v2"]'),
            ") or vary a setting (",
            Option("--vary data.image_size=128,224", 'varied=["data.image_size=128,224"]'),
            ")",
        )
    return variants


def _parse_choices(text: str) -> list[str]:
    key, separator, values = text.partition("=")
    if not separator or not values:
        raise ConfigError(f"{text!r} varies nothing; write key=value,value such as data.image_size=128,224")
    if key.split(".")[-1] in _SPLIT_SETTINGS:
        raise ConfigError(f"{key} cannot be varied: all ways are compared on the same pictures")
    return [f"{key}={value.strip()}" for value in _COMMA.split(values)]


def _shorten(choice: str) -> str:
    """Return a choice without the section of the setting and the folders of a path."""
    key, _, value = choice.partition("=")
    return f"{key.rpartition('.')[2]}={value.rpartition('/')[2]}"
