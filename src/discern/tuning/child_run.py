"""Trains in a child process, to measure time and memory, and so that an error ends only that training."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, NamedTuple

import pandas as pd
from pydantic import BaseModel, Field

from discern.errors import WriteError
from discern.files import read_json, write_json
from discern.run_folder import RunFolder
from discern.training.history import load_history
from discern.tuning.child_error import CANNOT_WRITE, read_unwritten

_CHILD_SETTINGS = ("run.report=false", "run.plots=false")
"""Settings of every training that is one of many, which needs no report and no plots."""

_POLL_SECONDS = 0.1


class ChildRun(NamedTuple):
    """The outcome of a training: its duration, and its peak memory in bytes (None if the system does not report it).

    `error` is the last line of its log if it failed; `was_stopped` says whether `stop_when` ended it.
    """

    folder: RunFolder
    seconds: float
    peak_bytes: int | None
    error: str | None
    was_stopped: bool = False


def run_child(
    source: str,
    folder: RunFolder,
    *,
    recipe: str,
    overrides: Sequence[str],
    is_one_of_many: bool = True,
    stop_when: Callable[[pd.DataFrame], bool] | None = None,
) -> ChildRun:
    """Train in `folder`, resume an interrupted run there, or return the recorded outcome of a complete one.

    The output goes to a .log file beside the folder, and the outcome to a .json file, which a later call reads. The
    seconds of a resumed run are those of all its parts. The child ends with this process.

    Args:
        source: Labelled pictures: a folder, an archive, a table or an .npz file.
        folder: The run folder.
        recipe: Name of a recipe, or path of a TOML file.
        overrides: `key=value` strings that override the recipe.
        is_one_of_many: Leave out report and plots.
        stop_when: Called with the history after each epoch; the run ends when it returns True.

    Raises:
        WriteError: A file cannot be written, for instance on a full disk: other trainings would fail in the same way.
    """
    log, record = (folder.root.with_name(f"{folder.root.name}{suffix}") for suffix in (".log", ".json"))
    known = _read_record(record)
    if folder.is_complete() and known is not None:
        return ChildRun(folder, known.seconds, known.peak_bytes, None)
    settings = [*overrides, *(_CHILD_SETTINGS if is_one_of_many else ())]
    command = [sys.executable, "-m", "discern.cli.child", "train"]
    spent_seconds = 0.0
    if folder.holds_run() and not folder.is_complete():
        command += ["--resume", "--out", str(folder.root)]
        spent_seconds = 0.0 if known is None else known.seconds
    else:
        command += [source, "--overwrite", "--out", str(folder.root), "--recipe", recipe, *settings]
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with log.open("ab") as output, _start(command, output) as process:
        watched = _Watched(process, folder.history, stop_when)
        peak_bytes: int | None = None
        error: str | None = "interrupted"
        unwritten: WriteError | None = None
        try:
            code, peak_bytes = watched.wait()
            error = None if code == 0 else _read_last_line(log) or f"it ended with {code}"
            if code == CANNOT_WRITE:
                unwritten = read_unwritten(error or "", folder.root)
                error = f"{unwritten.path} cannot be written: {unwritten.reason}"
        finally:
            seconds = spent_seconds + time.perf_counter() - started
            with nullcontext() if unwritten is None else suppress(WriteError):
                write_json(record, {"seconds": seconds, "peak_bytes": peak_bytes, "error": error})
    if unwritten is not None:
        raise unwritten
    return ChildRun(folder, seconds, peak_bytes, error, watched.was_stopped)


def _start(command: Sequence[str], output: BinaryIO) -> subprocess.Popen[bytes]:
    """Start a child, which ends when its standard input is closed: by the system if this process is killed."""
    utf8 = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=utf8
    )


class _Record(BaseModel):
    """What a child's .json file says of it."""

    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    peak_bytes: int | None = None


def _read_record(path: Path) -> _Record | None:
    """Return the record of an earlier call; None where there is none, or a damaged one."""
    try:
        return _Record.model_validate(read_json(path))
    except (OSError, ValueError):
        return None


class _Watched:
    """A training process whose history is read while it runs."""

    def __init__(
        self, process: subprocess.Popen[bytes], history: Path, stop_when: Callable[[pd.DataFrame], bool] | None
    ) -> None:
        self.was_stopped = False
        self._process = process
        self._history = history
        self._stop_when = stop_when
        self._epochs_seen = 0

    def wait(self) -> tuple[int, int | None]:
        """Return exit code and peak memory; if the user stops this process, the child is ended too."""
        try:
            while True:
                ended = self._poll()
                if ended is not None:
                    return ended
                self._check_history()
                time.sleep(_POLL_SECONDS)
        except BaseException:
            self._process.terminate()
            raise

    def _poll(self) -> tuple[int, int | None] | None:
        if not hasattr(os, "wait4"):
            code = self._process.poll()
            return None if code is None else (code, None)
        process, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if process == 0:
            return None
        self._process.returncode = os.waitstatus_to_exitcode(status)
        # macOS counts bytes, others kibibytes.
        return self._process.returncode, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def _check_history(self) -> None:
        if self._stop_when is None or self.was_stopped or not self._history.is_file():
            return
        history = load_history(self._history)
        if len(history) > self._epochs_seen:
            self._epochs_seen = len(history)
            if self._stop_when(history):
                self.was_stopped = True
                self._process.terminate()


def _read_last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
