"""Modules of JavaScript joined to one script, since a page that was opened from a file can import none."""

import re
from importlib.resources.abc import Traversable

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?(function|class|const))", re.MULTILINE)


def join_modules(start: str, *folders: Traversable) -> str:
    """Return a module and all that it imports as one script, each after those that it needs.

    Args:
        start: The name of the module.
        folders: Where it and the others are. All names at their top must differ, and none is renamed by an import.
    """
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        if name in parts:
            return
        text = next(folder / name for folder in folders if (folder / name).is_file()).read_text(encoding="utf-8")
        for needed in _IMPORT.findall(text):
            add(needed)
        parts[name] = _EXPORT.sub("", _IMPORT.sub("", text)).strip()

    add(start)
    return "\n\n".join(parts.values())
