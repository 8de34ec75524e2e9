"""What the shell offers when a name is completed."""

from collections.abc import Iterator

from typer import _completion_shared

_END = "    return 0\n"
_NO_SPACE = "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"


def complete_settings_without_space() -> None:
    """Let Bash add no space after a setting that is completed, so that its value can be typed at once.

    Typer has no option for it: its script for Bash is changed, or, where another version has another one, left alone.
    """
    scripts = getattr(_completion_shared, "_completion_scripts", {})
    if _NO_SPACE not in scripts.get("bash", ""):
        scripts["bash"] = scripts.get("bash", "").replace(_END, _NO_SPACE + _END)


def complete_recipe(incomplete: str) -> list[str]:
    """Return the names of built-in recipes that begin so."""
    from discern.recipes import list_recipe_names

    return [name for name in list_recipe_names() if name.startswith(incomplete)]


def complete_setting(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the settings that begin so, as SECTION.NAME= or, once a letter is typed, as NAME=, with their meaning."""
    from discern.config.describe import list_setting_names

    for full_name, meaning in list_setting_names():
        for name in (full_name, full_name.partition(".")[2])[: 1 + bool(incomplete)]:
            if name.startswith(incomplete):
                yield f"{name}=", meaning
