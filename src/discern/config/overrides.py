"""Overrides of a recipe's settings: `key=value` strings, a mapping or keyword arguments, which mean the same."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from discern.config.sections.phase import PHASE_DEFAULTS, PhaseSettings
from discern.config.settings import Settings
from discern.errors import ConfigError, refuse_value

_ONLY_OF_PHASES = {"train"}
"""Settings that each phase needs for itself."""

RawTable = dict[str, Any]
Overrides = Sequence[str] | Mapping[str, Any]
"""`["epochs=5"]`, `{"epochs": 5}`, `{"training.epochs": 5}` or `{"training": {"epochs": 5}}`."""


def list_overrides(*given: Overrides) -> list[str]:
    """Return overrides of any form as `key=value` strings, in the order given.

    Raises:
        ConfigError: A value is of a type that no setting has, or overrides are of no such form.
    """
    strings: list[str] = []
    for overrides in given:
        if isinstance(overrides, Mapping):
            strings += [f"{key}={_write_value(key, value)}" for key, value in _flatten(overrides)]
        else:
            strings += _list_strings(overrides)
    return strings


def _list_strings(overrides: object) -> list[str]:
    given = list(overrides) if isinstance(overrides, Iterable) and not isinstance(overrides, str) else [overrides]
    strings = [override for override in given if isinstance(override, str)]
    if len(strings) < len(given):
        raise refuse_value("overrides", overrides, 'a mapping such as {"epochs": 5}, or texts such as "epochs=5"')
    return strings


def _flatten(overrides: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _write_value(key: str, value: Any) -> str:
    """Return a value as TOML; numbers of NumPy are numbers."""
    if isinstance(value, np.generic | np.ndarray):
        return _write_value(key, value.tolist())
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(name))} = {_write_value(key, one)}" for name, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, Sequence):
        return f"[{', '.join(_write_value(key, one) for one in value)}]"
    raise ConfigError(f"{key} is a {type(value).__name__}; a setting is text, a number, true or false, or a list")


def apply_overrides(raw: RawTable, overrides: Sequence[str]) -> None:
    """Apply each `section.key=value` to `raw`, in place.

    The section may be left out if the key is unambiguous (`seed=1`). A phase is selected by name, by number from 0, or
    by `*` for all: `training.phases.head.epochs=5`. Values are TOML; a value that is not valid TOML is taken as text.

    Raises:
        ConfigError: An override has no `=`, or its key names no setting.
    """
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            raise ConfigError(f"{override!r} is not an override; write key=value, for example training.epochs=5")
        path = _qualify(key.strip())
        value = _parse_value(text.strip())
        if path[:2] == ["training", "phases"] and len(path) > 2:
            _override_phases(raw, path, value)
        elif path[0] == "training" and path[-1] in _ONLY_OF_PHASES:
            raise ConfigError(_advise_phase(raw, path[-1], text.strip()))
        elif path[0] == "training" and path[-1] in PHASE_DEFAULTS:
            _override_phase_default(raw, path[-1], value)
        else:
            _set(raw, path, value)


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _qualify(key: str) -> list[str]:
    """Split a dotted key and add the section if the user left it out."""
    path = key.split(".")
    if path[0] in Settings.model_fields:
        return path
    if len(path) == 1:
        homes = [section for section, names in _names_by_section().items() if key in names]
        if len(homes) == 1:
            return [homes[0], key]
    full_names = [f"{section}.{name}" for section, names in _names_by_section().items() for name in names]
    close = get_close_matches(key, full_names, 3) or [
        name for name in full_names if get_close_matches(path[-1], [name.split(".")[1]])
    ]
    hint = (
        f"did you mean {' or '.join(close[:3])}?" if close else f"the sections are {', '.join(Settings.model_fields)}"
    )
    raise ConfigError(f"unknown setting {key!r}: {hint}")


def _names_by_section() -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for section, field in Settings.model_fields.items():
        model = field.annotation
        names[section] = set(getattr(model, "model_fields", ()))
    names["training"] |= PHASE_DEFAULTS | _ONLY_OF_PHASES
    del names["recipe"]
    return names


def _override_phases(raw: RawTable, path: list[str], value: Any) -> None:
    """Set one setting of the phases that `path` selects."""
    phases = _section(raw, "training").setdefault("phases", [{}])
    if not isinstance(phases, list) or not all(isinstance(phase, dict) for phase in phases):
        raise ConfigError("training.phases is a list of phases; in TOML each begins with [[training.phases]]")
    names = [phase.get("name", PhaseSettings().name) for phase in phases]
    selector = path[2]
    if selector == "*":
        chosen = list(range(len(phases)))
    elif selector in names:
        chosen = [names.index(selector)]
    elif selector.isdigit() and int(selector) < len(phases):
        chosen = [int(selector)]
    else:
        raise ConfigError(
            f"no phase {selector!r} in the training plan; its phases are {', '.join(names)} (or * for all of them)"
        )
    if len(path) == 3:
        raise ConfigError(f"{'.'.join(path)} is a phase; say which of its settings, such as {'.'.join(path)}.epochs")
    for index in chosen:
        _set(phases[index], path[3:], value)


def _override_phase_default(raw: RawTable, key: str, value: Any) -> None:
    """Set `training.key` so that it has an effect: in the one phase, or where no phase has a value of its own."""
    training = _section(raw, "training")
    phases = training.get("phases", [])
    own = [phase for phase in phases if key in phase]
    if len(phases) == 1:
        phases[0][key] = value
    elif own and len(own) == len(phases):
        values = ", ".join(f"{phase.get('name')}: {phase[key]}" for phase in phases)
        raise ConfigError(
            f"every phase of this recipe sets its own {key} ({values}); write "
            f"training.phases.{phases[-1].get('name')}.{key}={value}, or 'training.phases.*.{key}={value}' for all"
        )
    else:
        training[key] = value


def _advise_phase(raw: RawTable, key: str, text: str) -> str:
    """Return how to set what each phase has for itself."""
    phases = _section(raw, "training").get("phases") or [{}]
    name = phases[-1].get("name", PhaseSettings().name)
    for_all = f", or 'training.phases.*.{key}={text}' for all" if len(phases) > 1 else ""
    return f"{key} is a setting of one phase; write training.phases.{name}.{key}={text}{for_all}"


def _section(raw: RawTable, name: str) -> RawTable:
    section = raw.setdefault(name, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{name} is a section, not the value {section!r}; in TOML it begins with [{name}]")
    return section


def _set(table: RawTable, path: list[str], value: Any) -> None:
    for name in path[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{'.'.join(path)} does not exist: {name} is a value, not a section")
    table[path[-1]] = value
