"""What a folder of several runs is for, written into it, so that it is gone on with and never mixed up."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from discern.errors import RunFolderError
from discern.files import write_json

_NAME = "plan.json"


def claim_folder(out: Path, plan: Mapping[str, Any], *, kind: str, other: str) -> None:
    """Make a folder for a plan, or check that it holds this one already.

    Args:
        out: The folder.
        plan: Plain values as JSON keeps them.
        kind: What such a folder holds, for messages: "search".
        other: What it holds where the plan is another one, for messages.

    Raises:
        RunFolderError: It holds another plan, or something else.
    """
    path = out / _NAME
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != plan:
            raise RunFolderError(f"{out} holds {other}; give another --out")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunFolderError(f"{out} is not empty and holds no {kind}; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)
