"""The folder that all runs of a comparison or search share; what they belong to is written into it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from discern.errors import RunFolderError
from discern.files import write_json

_NAME = "definition.json"


def open_shared_folder(out: Path, definition: Mapping[str, Any], *, kind: str, other: str) -> None:
    """Make the folder of a comparison or search, or check that it already belongs to this one.

    Args:
        out: The folder.
        definition: What all runs have in common, as plain values that JSON keeps.
        kind: What such a folder holds, for messages: "search".
        other: What it holds where its definition is another one, for messages.

    Raises:
        RunFolderError: It holds another comparison or search, or something else.
    """
    path = out / _NAME
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != definition:
            raise RunFolderError(f"{out} holds {other}; give another --out")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunFolderError(f"{out} is not empty and holds no {kind}; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, definition)
