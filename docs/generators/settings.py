"""The reference of the settings, from their types and descriptions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from discern.config.settings import Settings
from generators.markdown import build_definitions, escape_text

Schema = Mapping[str, Any]

_WITHOUT_EFFECT = "recipe"


def build_settings() -> str:
    """Return one section a part of the settings; the settings of a phase follow those of training."""
    schema = Settings.model_json_schema()
    parts = schema["$defs"]
    sections = []
    for name, field in schema["properties"].items():
        part = parts[field["$ref"].rsplit("/", 1)[-1]] if "$ref" in field else None
        if part is None or name == _WITHOUT_EFFECT:
            continue
        sections += _describe_part(f"[{name}]", name, part, parts)
        if "phases" in part["properties"]:
            sections += _describe_part(f"[[{name}.phases]]", f"{name}.phases.NAME", parts["PhaseSettings"], parts)
    return "\n\n".join(sections)


def _describe_part(heading: str, path: str, part: Schema, parts: Schema) -> Iterator[str]:
    yield f"## {heading}"
    yield escape_text(part.get("description", ""))
    yield build_definitions(
        (f"`{path}.{name}`", (escape_text(field.get("description", "")), _describe_values(field, parts)))
        for name, field in part["properties"].items()
        if name != "phases"
    )


def _describe_values(field: Schema, parts: Schema) -> str:
    default = field.get("default")
    return _name_kind(field, parts) + ("" if default is None else f"; default `{json.dumps(default)}`")


def _name_kind(field: Schema, parts: Schema) -> str:
    """Return what a setting may be, in words."""
    if "$ref" in field:
        return _name_kind(parts[field["$ref"].rsplit("/", 1)[-1]], parts)
    if "anyOf" in field:
        kinds = [_name_kind(kind, parts) for kind in field["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in field or "enum" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        items = field.get("prefixItems") or [field.get("items", {})]
        length = f" of {len(items)}" if "prefixItems" in field else ""
        return f"list{length}: {_name_kind(items[0], parts)}"
    names = {"integer": "whole number", "number": "number", "boolean": "`true`, `false`", "object": "table"}
    name = "path" if field.get("format") == "path" else names.get(field.get("type", ""), "text")
    return name + _name_bounds(field)


def _name_bounds(field: Schema) -> str:
    """Return the bounds of a number, such as " from 0 to 1"."""
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    return "".join(f" {word} {field[key]:,.10g}" for key, word in words.items() if key in field)
