"""A training in a process of its own: what it takes is measured, and what goes wrong ends it alone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from discern.files import write_json
from discern.run_folder import RunFolder


class ChildRun(NamedTuple):
    """How a training went: seconds, and the largest memory in bytes (None where the system does not tell).

    `error` is the last line that it said, where it did not complete.
    """

    folder: RunFolder
    seconds: float
    peak_bytes: int | None
    error: str | None


def run_child(source: str, folder: RunFolder, *, recipe: str, overrides: Sequence[str]) -> ChildRun:
    """Train in `folder`, go on with an interrupted run there, or return what is known of a complete one.

    All that it says goes to a .log file beside the folder, and how it went to a .json file, which is read again the
    next time.
    """
    log, record = (folder.root.with_name(f"{folder.root.name}{suffix}") for suffix in (".log", ".json"))
    if folder.is_complete() and record.is_file():
        known = json.loads(record.read_text(encoding="utf-8"))
        return ChildRun(folder, known["seconds"], known["peak_bytes"], None)
    command = [sys.executable, "-m", "discern", "train"]
    if folder.holds_run() and folder.config.is_file() and not folder.is_complete():
        command += ["--resume", "--out", str(folder.root)]
    else:
        command += [source, "--overwrite", "--out", str(folder.root), "--recipe", recipe, *overrides]
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with log.open("ab") as output:
        code, peak_bytes = _wait(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))  # noqa: S603
    seconds = time.perf_counter() - started
    error = None if code == 0 else _read_last_line(log) or f"it ended with {code}"
    write_json(record, {"seconds": seconds, "peak_bytes": peak_bytes, "error": error})
    return ChildRun(folder, seconds, peak_bytes, error)


def _wait(process: subprocess.Popen[bytes]) -> tuple[int, int | None]:
    """Return exit code and peak memory of a process; it is ended with this one if the user stops it."""
    try:
        if not hasattr(os, "wait4"):
            return process.wait(), None
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        # macOS counts bytes, others kibibytes.
        return process.returncode, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    except BaseException:
        process.terminate()
        raise


def _read_last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
