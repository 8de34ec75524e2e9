"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

import discern

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from generators.type_names import NAMED_TYPES, name_types  # noqa: E402

project = "discern"
author = "the authors of discern"
version = release = discern.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated"]

# A link or an anchor that leads nowhere is a warning, and warnings are errors.
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_block", "colon_fence"]
nb_execution_mode = "off"

# scikit-learn's own, which refers to pages of its documentation.
autodoc_default_options = {"exclude-members": "set_score_request"}
autodoc_member_order = "bysource"
autodoc_type_aliases = {name: name for name in NAMED_TYPES}
autodoc_typehints_format = "short"
default_role = "code"
# Quotes and dashes stand as in the program: --out is no dash.
smartquotes = False
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"discern {release}"
html_copy_source = False
html_show_sphinx = False
html_css_files = ["site.css"]
html_static_path = ["_static"]


def write_generated(app: Sphinx) -> None:
    """Write what the pages include and what lies elsewhere: the reference of the code, and the notebooks."""
    from generators.command_line import build_command_line
    from generators.python import build_python
    from generators.recipes import build_recipes
    from generators.settings import build_settings

    parts = {
        "command_line": build_command_line,
        "python": build_python,
        "recipes": build_recipes,
        "settings": build_settings,
    }
    for name, build in parts.items():
        _write_if_changed(DOCS / "_generated" / f"{name}.md", build())
    for notebook in sorted((DOCS.parent / "examples" / "notebooks").glob("*.ipynb")):
        _write_if_changed(DOCS / "tutorials" / "notebooks" / notebook.name, notebook.read_text(encoding="utf-8"))


def _write_if_changed(path: Path, text: str) -> None:
    """Write a file, so that what did not change is not built again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect the steps of this project to the build."""
    app.connect("builder-inited", write_generated)
    app.connect("autodoc-before-process-signature", name_types)
