"""Loads settings from a recipe and overrides, checks them, and saves them as TOML."""

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from discern.config.overrides import RawTable, apply_overrides
from discern.config.problems import describe_problems
from discern.config.settings import Settings
from discern.errors import ConfigError
from discern.files import write_atomically
from discern.recipes import list_recipe_names, read_recipe_text


def load_settings(recipe: str | Path = "auto", overrides: Sequence[str] = ()) -> Settings:
    """Load a recipe by name or path, apply the overrides and check the result.

    Args:
        recipe: Name of a built-in recipe, or path of a TOML file.
        overrides: `section.key=value` strings; see `apply_overrides`.

    Raises:
        ConfigError: The recipe does not exist or is not TOML, or a setting is unknown or out of range.
    """
    raw = _read_recipe(str(recipe))
    apply_overrides(raw, overrides)
    return check_settings(raw)


def check_settings(raw: Mapping[str, Any]) -> Settings:
    """Check a table of plain values.

    Raises:
        ConfigError: A setting is unknown or out of range. The message lists all problems, and suggests the nearest
            name for an unknown one.
    """
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("; ".join(describe_problems(error, raw))) from None


def read_settings(path: Path) -> Settings:
    """Read a file that `save_settings` wrote.

    Raises:
        ConfigError: The file cannot be read, or another version of the program wrote it.
    """
    return check_settings(_parse(str(path), _read_text(str(path))))


def save_settings(settings: Settings, path: Path) -> None:
    """Write settings as TOML that `load_settings` reads back to equal settings."""
    write_atomically(path, write_settings(settings))


def write_settings(settings: Settings) -> str:
    """Return settings as TOML that `load_settings` reads back to equal settings."""
    return tomli_w.dumps(settings.to_dict())


def _read_recipe(recipe: str, above: tuple[str, ...] = ()) -> RawTable:
    """Read a recipe merged with the one it extends; `above` are the recipes that extend it."""
    if recipe in above:
        raise ConfigError(f"recipes extend each other in a circle: {' -> '.join([*above, recipe])}")
    raw = _parse(recipe, _read_text(recipe))
    base = raw.pop("extends", None)
    if base is None:
        return raw
    if base not in list_recipe_names():
        base = Path(recipe).parent / str(base)
    return _merge(_read_recipe(str(base), (*above, recipe)), raw)


def _read_text(recipe: str) -> str:
    if recipe in list_recipe_names():
        return read_recipe_text(recipe)
    path = Path(recipe)
    if path.suffix == ".toml" or path.exists():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the recipe file {recipe} cannot be read: {error}") from None
    names = list_recipe_names()
    close = get_close_matches(recipe, names, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ConfigError(f"no recipe {recipe!r}: {hint}choose from {', '.join(names)}, or give the path of a .toml file")


def _parse(recipe: str, text: str) -> RawTable:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"the recipe {recipe} is not valid TOML: {error}") from None


def _merge(base: RawTable, top: RawTable) -> RawTable:
    """Return `base` with the values of `top`: tables are merged key by key, everything else is replaced."""
    merged = deepcopy(base)
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = _merge(merged[key], value)
        else:
            merged[key] = value
    return merged
