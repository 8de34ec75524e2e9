"""Numbers and their percent sign, which no line break should part."""

import re

from docutils import nodes
from sphinx.application import Sphinx

_SPACE = re.compile(r"(?<=\d)\s(?=%)")


def keep_percent_whole(_app: Sphinx, doctree: nodes.document, _page: str) -> None:
    """Put a space that does not break between a number and its percent sign, except in code."""
    for text in list(doctree.findall(nodes.Text)):
        if _SPACE.search(text) and not isinstance(text.parent, nodes.literal | nodes.literal_block):
            text.parent.replace(text, nodes.Text(_SPACE.sub("\N{NO-BREAK SPACE}", text)))
