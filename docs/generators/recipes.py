"""The reference of the recipes, from their files."""

from collections.abc import Iterator

from discern.config.load import load_settings
from discern.recipes import list_recipe_names, read_recipe_text
from generators.markdown import escape_text


def build_recipes() -> str:
    """Return one section a recipe: its purpose, time and result, and its file."""
    return "\n\n".join(part for name in list_recipe_names() for part in _describe_recipe(name))


def _describe_recipe(name: str) -> Iterator[str]:
    recipe = load_settings(name).recipe
    yield f"## {name}"
    yield _start_sentence(recipe.purpose)
    yield f"- time: {escape_text(recipe.time)}\n- expected: {escape_text(recipe.expected)}"
    yield f"```toml\n{read_recipe_text(name).strip()}\n```"


def _start_sentence(text: str) -> str:
    return escape_text(f"{text[:1].upper()}{text[1:].removesuffix('.')}.")
