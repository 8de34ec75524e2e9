"""How a run was made: the settings, the automatic choices, the machine, and the command that makes it again."""

import shlex
from collections.abc import Mapping
from typing import NamedTuple

from discern.config.describe import flatten_settings
from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.recipes import list_recipe_names
from discern.reports.run_facts import RunFacts


class SettingRow(NamedTuple):
    """One setting of the run, and what the recipe says where that is another value."""

    name: str
    value: str
    of_recipe: str | None


class SettingsView(NamedTuple):
    """The settings that differ from `compared_with`, and all others."""

    recipe: str
    purpose: str
    compared_with: str
    changed: tuple[SettingRow, ...]
    others: tuple[SettingRow, ...]


def build_settings(facts: RunFacts) -> SettingsView | None:
    """Return the settings against those of the recipe, or against the defaults if the recipe is not one of ours."""
    if facts.settings is None:
        return None
    recipe = facts.settings.recipe
    compared_with, base = "the defaults", Settings()
    if recipe.name in list_recipe_names():
        compared_with, base = f"the recipe {recipe.name}", load_settings(recipe.name)
    own, usual = (flatten_settings(settings.to_dict()) for settings in (facts.settings, base))
    rows = [
        SettingRow(name, _show(own.get(name)), _show(usual.get(name)) if own.get(name) != usual.get(name) else None)
        for name in dict.fromkeys([*own, *usual])
        if not name.startswith("recipe.")
    ]
    changed = tuple(row for row in rows if row.of_recipe is not None)
    return SettingsView(
        recipe.name, recipe.purpose, compared_with, changed, tuple(row for row in rows if row not in changed)
    )


def list_choices(facts: RunFacts) -> list[tuple[str, str]]:
    """Return what was decided by itself, with the reason."""
    reasons = facts.environment.runtime.get("reasons")
    of_runtime = [
        (name, f"{facts.environment.runtime.get(name)}, {reason}")
        for name, reason in (reasons.items() if isinstance(reasons, Mapping) else ())
        if reason != "as set"
    ]
    return [*facts.environment.choices.items(), *of_runtime]


def list_environment(facts: RunFacts) -> list[tuple[str, str]]:
    """Return machine and versions."""
    environment = facts.environment
    runtime = environment.runtime
    rows = [
        ("device", runtime.get("device")),
        ("precision", runtime.get("precision")),
        ("threads", runtime.get("threads")),
        ("processes", runtime.get("processes")),
        (
            "deterministic",
            {True: "yes", False: "no"}.get(bool(runtime["determinism"])) if "determinism" in runtime else None,
        ),
        ("processor", environment.processor),
        ("platform", environment.platform),
        ("python", environment.python),
        *environment.packages.items(),
        ("data fingerprint", environment.data.fingerprint),
        ("weights", environment.weights.source if environment.weights else None),
        ("weights SHA-256", environment.weights.sha256 if environment.weights else None),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


def build_command(facts: RunFacts) -> str | None:
    """Return the command that trains on the same pictures in the same splits with the same settings."""
    source = facts.environment.data.source
    if not source or facts.settings is None:
        return None
    root = facts.root.resolve()
    words = ["discern", "train", source, "--recipe", str(root / "config.toml")]
    return shlex.join([*words, f"data.split_file={root / 'split.csv'}", "--out", f"{root}-again"])


def find_started_as(facts: RunFacts) -> str | None:
    """Return the command line that began the run, if it was one of discern's."""
    command = facts.environment.command
    if len(command) < 2 or not command[0].endswith(("__main__.py", "discern")):
        return None
    return shlex.join(["discern", *command[1:]])


def _show(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(_show, value)) or "none"
    return str(value)
