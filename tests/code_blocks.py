"""The code blocks of the documentation."""

import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
NOT_RUN = "<!-- not run:"
"""Before a block: it is not run, for the reason that follows."""

_FENCE = re.compile(
    r"^(?P<before>[^\n]*)\n+ *(?P<fence>```+)(?P<language>[\w-]*)\n(?P<code>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_SHELLS = ("", "console", "sh", "bash", "shell")


class Block(NamedTuple):
    """One fenced block, and the line of the page that it begins at."""

    language: str
    code: str
    line: int


def list_pages() -> list[Path]:
    """Return README, CONTRIBUTING and the pages of the site, without what its build writes."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    written = {"_build", "_generated"}
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(page for page in pages if not written & {*page.parts})]


def list_blocks(page: Path, language: str) -> list[Block]:
    """Return the blocks of a page in a language that are run; "console" stands for all shells."""
    text = page.read_text(encoding="utf-8")
    languages = _SHELLS if language == "console" else (language,)
    return [
        Block(language, dedent(found["code"]), text.count("\n", 0, found.start("code")))
        for found in _FENCE.finditer("\n" + text)
        if found["language"] in languages and not found["before"].strip().startswith(NOT_RUN)
    ]


def list_commands(page: Path) -> list[list[str]]:
    """Return the arguments of every `discern` command in the shell blocks of a page."""
    lines = [
        line.strip().removeprefix("$ ")
        for block in list_blocks(page, "console")
        for line in block.code.replace("\\\n", " ").splitlines()
    ]
    return [arguments for line in lines if (arguments := _find_arguments(line)) is not None]


def _find_arguments(line: str) -> list[str] | None:
    """Return the arguments of `discern`, also if variables, torchrun or `python -m` stand before; None without it."""
    if not re.search(r"(^|\s)discern\s", line):
        return None
    words = shlex.split(line, comments=True)
    if "discern" not in words:
        return None
    at = words.index("discern")
    before = words[:at]
    if not all("=" in word for word in before) and "-m" not in before:
        return None
    arguments = words[at + 1 :]
    ends = [arguments.index(sign) for sign in (">", "|", "&&", ";") if sign in arguments]
    return arguments[: min(ends)] if ends else arguments
