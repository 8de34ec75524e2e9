"""What tests of the studio do with folders and processes."""

import json
import time
from pathlib import Path

from discern.environment import RUN_FORMAT


def wait_until(check, seconds=60):
    """Return what a check gives as soon as it gives something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := check():
            return found
        time.sleep(0.1)
    raise AssertionError(f"it did not happen in {seconds} s")


def write_run(folder: Path) -> Path:
    """Write what makes a folder a run that has begun."""
    folder.mkdir(parents=True)
    (folder / "environment.json").write_text(json.dumps({"format": RUN_FORMAT}))
    (folder / "config.toml").write_text("")
    return folder
