"""How Sphinx builds the documentation: `make docs`."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

import discern

sys.path.insert(0, str(Path(__file__).parent))

from generators.pages import write_parts
from generators.percent import keep_percent_whole
from generators.short_code import keep_short_code_whole
from generators.type_names import NAMED_TYPES, name_types, shorten_types

project = "discern"
author = "the authors of discern"
version = release = discern.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated"]

# A link or an anchor that leads nowhere is a warning, and warnings are errors.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
nb_execution_mode = "off"

# Of scikit-learn, which refers to pages of its own, and of pydantic.
autodoc_default_options = {"exclude-members": "model_config, set_score_request"}
autodoc_member_order = "bysource"
autodoc_type_aliases = {name: name for name in NAMED_TYPES}
autodoc_typehints_format = "short"
default_role = "code"
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"discern {release}"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_css_files = ["site.css"]
html_static_path = ["_static"]


def setup(app: Sphinx) -> None:
    """Connect the steps of this project to the build."""
    app.connect("builder-inited", write_parts)
    app.connect("autodoc-before-process-signature", name_types)
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("doctree-resolved", keep_short_code_whole)
    app.connect("doctree-resolved", keep_percent_whole)
