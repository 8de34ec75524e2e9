"""Lists settings as text: all of them with default and meaning, and the values of a run by dotted name."""

import json
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from discern.config.sections.phase import PHASE_DEFAULTS, PhaseSettings
from discern.config.settings import Settings


def describe_settings() -> Iterator[str]:
    """Yield one line per setting, section by section; phase settings follow those of training."""
    for section, field in Settings.model_fields.items():
        if section == "recipe" or not isinstance(field.annotation, type):
            continue
        yield f"[{section}]  {(field.annotation.__doc__ or '').strip()}"
        yield from _describe_fields(field.annotation, skip=("phases",))
        if section == "training":
            yield f"[[training.phases]]  {(PhaseSettings.__doc__ or '').strip()}"
            yield from _describe_fields(PhaseSettings)


def list_setting_names() -> Iterator[tuple[str, str]]:
    """Yield every setting as SECTION.NAME with its meaning; those of phases stand in training, for all phases."""
    for section, field in Settings.model_fields.items():
        if section != "recipe" and isinstance(field.annotation, type):
            for name, inner in field.annotation.model_fields.items():
                if name != "phases":
                    yield f"{section}.{name}", inner.description or ""
    for name in sorted(PHASE_DEFAULTS):
        yield f"training.{name}", PhaseSettings.model_fields[name].description or ""


def _describe_fields(model: type[BaseModel], skip: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name not in skip:
            has_default = field.default is not PydanticUndefined and field.default is not None
            default = f" = {json.dumps(field.default)}" if has_default else ""
            yield f"  {name}{default}    {_describe(field)}"


def _describe(field: FieldInfo) -> str:
    """Return the description of a setting, preceded by its allowed names unless it mentions all of them."""
    kinds = (field.annotation, *get_args(field.annotation))
    names = [str(name) for kind in kinds if get_origin(kind) is Literal for name in get_args(kind)]
    meaning = field.description or ""
    if len(names) < 2 or all(name in meaning for name in names):
        return meaning
    return f"{', '.join(names)}: {meaning}"


def flatten_settings(value: object, prefix: str = "") -> dict[str, object]:
    """Return every plain value by its dotted name; phases are numbered from 0."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        items = [(str(number), inner) for number, inner in enumerate(value)]
    else:
        return {prefix: value}
    flat: dict[str, object] = {}
    for name, inner in items:
        flat |= flatten_settings(inner, f"{prefix}.{name}" if prefix else name)
    return flat
