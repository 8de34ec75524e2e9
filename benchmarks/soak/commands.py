"""Runs `discern` commands as users do, in processes that can be killed, limited and given to another user.

They are forked from this one, which has imported everything and computes nothing itself: starting a new Python for each
of thousands of commands would take most of the campaign.
"""

import ctypes
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

KILLED = -signal.SIGKILL
_STRANGER = 65534
"""The id of the user `nobody`."""
_PATIENCE_SECONDS = 600
_MAX_LINES, _MAX_MESSAGE = 15, 2_000
"""Of an error: a line that says what to do, and up to ten examples."""
_LIBRARY_WORDS = ("errors.pydantic.dev", "[type=", "Error(")
_SLOW_IMPORTS = ("discern.cli.app", "matplotlib.pyplot", "sklearn.metrics", "timm", "torchvision.transforms.v2")
_VERBS = ("compare", "evaluate", "export", "predict", "report", "resume", "serve", "train", "tune")

Limit = Callable[[], None]
"""Called in the new process before the command."""
Job = Callable[[], object]


class Done(NamedTuple):
    """How a command ended: its exit code, negative where a signal ended it, and what it printed."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    def find_faults(self, allowed: Sequence[int] = (0, 1, 2)) -> list[str]:
        """Return what no command may do: a traceback, an exit code that is not documented, poor words for an error."""
        faults = []
        if "Traceback (most recent call last)" in self.out + self.err:
            faults.append("traceback: " + " | ".join(self.err.strip().splitlines()[-4:])[-500:])
        if self.code not in allowed:
            faults.append(f"exit code {self.code}: {self.err.strip()[-300:]}")
        if self.code == 2:
            faults += _find_poor_words(self.err.strip())
        return [f"discern {' '.join(self.words)}: {fault}" for fault in faults]


class Command:
    """A command that is running, in a process group of its own; a `job` runs in place of the command line."""

    def __init__(
        self, words: Sequence[str], outputs: Path, home: Path, limit: Limit | None = None, job: Job | None = None
    ) -> None:
        self.words = tuple(words)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        self._files = [outputs / f"{self.pid or os.getpid()}.{name}" for name in ("out", "err")]
        if self.pid == 0:
            _become_command(self.words, self._files, home, limit, job or _run_main)

    def kill(self, *, is_alone: bool = False) -> None:
        """Kill it without a warning, and the processes that it has started unless `is_alone`."""
        (os.kill if is_alone else os.killpg)(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        os.killpg(self.pid, signal.SIGTERM)

    def is_running(self) -> bool:
        """Return whether it has not ended yet; its process stays known until `wait`."""
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is None

    def wait(self, seconds: float = _PATIENCE_SECONDS) -> Done:
        """Return how it ended; what takes longer is killed, which counts as a fault."""
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(0.01)
        _, status = os.waitpid(self.pid, 0)
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in self._files)
        for path in self._files:
            path.unlink()
        return Done(self.words, os.waitstatus_to_exitcode(status), out, err)


def import_everything() -> None:
    """Import what commands need, so that their processes have it."""
    for name in (*_SLOW_IMPORTS, *(f"discern.workflows.{verb}" for verb in _VERBS)):
        import_module(name)


def limit_memory(megabytes: int) -> Limit:
    """Return a limit of the memory that a command may ask for, so that one that wants all of it fails alone."""

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))

    return apply


def limit_files(size_bytes: int) -> Limit:
    """Return a limit of the size of files, which stands for a full disk where none can be mounted."""

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))

    return apply


def become_stranger() -> None:
    """Become a user who may read everything, which installed packages may need, and write only what is their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    keep_capabilities, may_read, version = 8, 1 << 2, 0x20080522
    libc.prctl(keep_capabilities, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(_STRANGER, _STRANGER, _STRANGER)
    os.setresuid(_STRANGER, _STRANGER, _STRANGER)
    header, wanted = (ctypes.c_uint32 * 2)(version, 0), (ctypes.c_uint32 * 6)(may_read, may_read, 0, 0, 0, 0)
    if libc.capset(header, wanted):
        raise OSError(ctypes.get_errno(), "the capabilities could not be set")


def give_to_stranger(folder: Path) -> None:
    """Give a folder and all in it to that user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _STRANGER, _STRANGER)


def _find_poor_words(message: str) -> list[str]:
    if not message:
        return ["exit code 2 without a word on stderr"]
    if len(message) > _MAX_MESSAGE or len(message.splitlines()) > _MAX_LINES:
        return [f"an error of {len(message.splitlines())} lines: {message[:300]}"]
    return [f"an error in words of a library: {message[:300]}" for word in _LIBRARY_WORDS if word in message]


def _become_command(words: Sequence[str], files: Sequence[Path], home: Path, limit: Limit | None, job: Job) -> None:
    """Run the command line in this process, which was forked for it, and end with its code."""
    code = 1
    try:
        os.setsid()
        for path, descriptor in zip(files, (1, 2), strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), descriptor)
        os.environ.update(_describe_environment(home))
        sys.argv = ["discern", *words]
        if limit is not None:
            limit()
        job()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 - the end of this process, whatever it was
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _describe_environment(home: Path) -> Mapping[str, str]:
    return {"DISCERN_HOME": str(home), "OMP_WAIT_POLICY": "PASSIVE", "TERM": "dumb"}


def _run_main() -> None:
    from discern.cli.app import main

    main()
