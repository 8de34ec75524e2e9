"""How a run was made: settings, automatic decisions, machine, and the command that repeats it."""

import shlex
from typing import NamedTuple

from discern.config.describe import flatten_settings
from discern.config.load import load_settings
from discern.config.settings import Settings
from discern.recipes import list_recipe_names
from discern.reports.run_facts import RunFacts


class SettingRow(NamedTuple):
    """One setting of the run, and its value in the recipe where that is different."""

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
    """Return the settings compared with the recipe, or with the defaults where the recipe is a file of the user."""
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


def list_decisions(facts: RunFacts) -> list[tuple[str, str]]:
    """Return what was decided automatically, with the reasons: for the plan, and for the machine."""
    of_plan = facts.plan.reasons if facts.plan is not None else {}
    runtime = facts.environment.runtime
    values = runtime.model_dump()
    of_runtime = {name: f"{values.get(name)}, {why}" for name, why in runtime.reasons.items() if why != "as set"}
    return [*of_plan.items(), *of_runtime.items()]


def list_environment(facts: RunFacts) -> list[tuple[str, str]]:
    """Return what is known of machine and versions, by name."""
    environment = facts.environment
    runtime, weights = environment.runtime, environment.weights
    rows = [
        ("device", runtime.device),
        ("precision", runtime.precision),
        ("threads", runtime.threads),
        ("processes", runtime.processes),
        ("deterministic", None if runtime.determinism is None else "yes" if runtime.determinism else "no"),
        ("processor", environment.processor),
        ("platform", environment.platform),
        ("python", environment.python),
        *environment.packages.items(),
        ("data fingerprint", environment.data.fingerprint),
        ("weights", weights.source if weights else None),
        ("weights SHA-256", weights.sha256 if weights else None),
    ]
    return [(name, str(value)) for name, value in rows if value not in (None, "")]


def build_command(facts: RunFacts) -> str | None:
    """Return the command that trains again: same pictures, same splits, same settings."""
    source = facts.environment.data.source
    if not source or facts.settings is None:
        return None
    root = facts.root.resolve()
    words = ["discern", "train", source, "--recipe", str(root / "config.toml")]
    return shlex.join([*words, f"data.split_file={root / 'split.csv'}", "--out", f"{root}-again"])


def find_started_as(facts: RunFacts) -> str | None:
    """Return the command line that started the run, if it was one of discern."""
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
