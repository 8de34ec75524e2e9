"""Writes what the pages include, and brings in what lies elsewhere, before the pages are read."""

from pathlib import Path

from sphinx.application import Sphinx

from generators.command_line import build_command_line
from generators.python import build_python
from generators.recipes import build_recipes
from generators.settings import build_settings

PARTS = {
    "command_line": build_command_line,
    "python": build_python,
    "recipes": build_recipes,
    "settings": build_settings,
}


def write_parts(app: Sphinx) -> None:
    """Write the parts of the reference, and copy the notebooks."""
    docs = Path(app.srcdir)
    for name, build in PARTS.items():
        _write_if_changed(docs / "_generated" / f"{name}.md", build())
    for notebook in sorted((docs.parent / "examples" / "notebooks").glob("*.ipynb")):
        _write_if_changed(docs / "tutorials" / "notebooks" / notebook.name, notebook.read_text(encoding="utf-8"))


def _write_if_changed(path: Path, text: str) -> None:
    """Write a file, so that what did not change is not built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
