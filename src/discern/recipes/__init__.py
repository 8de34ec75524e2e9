"""The built-in recipes: each TOML file describes one whole run."""

from importlib.resources import files

ORDER = ("auto", "transfer", "transfer-finetune", "airplanes", "mlp-head", "table", "v1", "v2", "v3", "v4", "demo")


def list_recipe_names() -> list[str]:
    """Return the names of all recipes, the most used first."""
    found = {entry.name.removesuffix(".toml") for entry in files(__name__).iterdir() if entry.name.endswith(".toml")}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def read_recipe_text(name: str) -> str:
    """Return the TOML text of the recipe called `name`."""
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
