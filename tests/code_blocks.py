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
    r"^(?P<before>[^\n]*)\n+ *(?P<fence>```+)(?P<language>[^\n`]*)\n(?P<code>.*?)^ *(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
_SHELLS = ("", "console", "sh", "bash", "shell")
_LANGUAGES = {"python": "python", "toml": "toml", **dict.fromkeys(_SHELLS, "console")}


class Block(NamedTuple):
    """One fenced block: its language, "console" for all shells, and the line of the page that it begins at."""

    language: str
    code: str
    line: int


class Command(NamedTuple):
    """The arguments of one `discern` command, and the file that its output goes to, if any."""

    arguments: list[str]
    output: str | None


def list_pages() -> list[Path]:
    """Return README, CONTRIBUTING and the pages of the site, without what its build writes."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    written = {"_build", "_generated"}
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(page for page in pages if not written & {*page.parts})]


def list_blocks(page: Path, *, marked: bool = False) -> list[Block]:
    """Return the blocks of a page that are run, in their order; or those that are `marked` as not run."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(_LANGUAGES[language], dedent(found["code"]), text.count("\n", 0, found.start("code")))
        for found in _FENCE.finditer("\n" + text)
        if (language := found["language"].strip()) in _LANGUAGES
        and found["before"].strip().startswith(NOT_RUN) == marked
    ]


def list_commands(block: Block) -> list[Command]:
    """Return every `discern` command in a block of the shell."""
    lines = [line.strip().removeprefix("$ ") for line in block.code.replace("\\\n", " ").splitlines()]
    return [command for line in lines if (command := _find_command(line)) is not None]


def _find_command(line: str) -> Command | None:
    """Return the command of a line, also if variables, torchrun or `python -m` stand before it; None without one."""
    if not re.search(r"(^|\s)discern\s", line):
        return None
    words = shlex.split(line, comments=True)
    if "discern" not in words:
        return None
    before, arguments = words[: words.index("discern")], words[words.index("discern") + 1 :]
    if not all("=" in word for word in before) and "-m" not in before:
        return None
    end = next((place for place, word in enumerate(arguments) if word in (">", "|", "&&", ";")), len(arguments))
    is_kept = arguments[end : end + 1] == [">"]
    return Command(arguments[:end], arguments[end + 1] if is_kept else None)
