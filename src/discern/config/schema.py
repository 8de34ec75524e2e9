"""The JSON schema of recipe files, by which editors complete and check them."""

from typing import Any

from discern.config.sections.phase import PHASE_DEFAULTS
from discern.config.settings import Settings


def build_recipe_schema() -> dict[str, Any]:
    """Return the schema of the settings, with what a recipe file may have besides: see `load_settings`.

    That is the recipe it extends, and in [training] the settings that hold for all phases.
    """
    schema = Settings.model_json_schema()
    parts = schema["$defs"]
    phase = parts["PhaseSettings"]["properties"]
    parts["TrainingSettings"]["properties"] |= {name: phase[name] for name in sorted(PHASE_DEFAULTS)}
    schema["properties"]["extends"] = {"type": "string", "description": "a recipe, or a file, that this one changes"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Recipe of discern", **schema}
