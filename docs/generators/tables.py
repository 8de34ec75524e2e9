"""Tables in Markdown."""

import re
from collections.abc import Iterable, Sequence


def build_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a cell may hold any text, and lines in it become one."""
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)


def escape_text(text: str) -> str:
    """Return text that Markdown shows as it is, with options as code."""
    return re.sub(r"(?<![\w-])(--[\w-]+)", r"`\1`", re.sub(r"([\\*_<\[`])", r"\\\1", text))


def _escape(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")
