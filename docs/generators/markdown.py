"""Tables, lists of definitions and plain text as Markdown."""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(r"`[^`]+`|(?<![\w-])--[\w-]+|[\\*_<\[`]")


def build_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a cell may hold any text, and lines in it become one."""
    lines = [list(header), ["---"] * len(header), *map(list, rows)]
    return "\n".join(f"| {' | '.join(_escape_cell(cell) for cell in line)} |" for line in lines)


def build_definitions(entries: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a list of names, each with one or more paragraphs about it; lines in a paragraph become one."""
    return "\n\n".join(
        f"{name}\n: " + "\n\n  ".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        for name, paragraphs in entries
    )


def escape_text(text: str) -> str:
    """Return text that Markdown shows as it is; what stands between backticks and options are shown as code."""
    return _SPECIAL.sub(lambda found: _escape_part(found[0]), text)


def _escape_part(part: str) -> str:
    if part.startswith("--"):
        return f"`{part}`"
    return part if len(part) > 1 else f"\\{part}"


def _escape_cell(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")
