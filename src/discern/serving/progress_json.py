"""How far a labelling is, as the page gets it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from discern.labelling.progress import Progress


def describe_progress(progress: Progress) -> dict[str, Any]:
    """Return the progress for JSON; the parts of it stand by name."""
    return {field.name: _to_json(getattr(progress, field.name)) for field in fields(progress)}


def _to_json(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _to_json(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: _to_json(part) for name, part in value.items()}
    return [_to_json(part) for part in value] if isinstance(value, list | tuple) else value
