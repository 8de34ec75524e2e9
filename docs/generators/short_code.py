"""Short pieces of code in a text, which no line break should tear."""

from docutils import nodes
from sphinx.application import Sphinx

_CHARACTERS = 26


def keep_short_code_whole(_app: Sphinx, doctree: nodes.document, _page: str) -> None:
    """Mark pieces that fit into a line of a phone, so that `--max-error` is not broken after its first hyphen."""
    for code in doctree.findall(nodes.literal):
        if len(code.astext()) <= _CHARACTERS:
            code["classes"].append("short")
