"""A command that runs in a process of its own, so that its crash harms nothing else."""

import os
import secrets
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from discern.data.reading.file_content import INSIDE_VARIABLE
from discern.errors import WriteError
from discern.files import read_json
from discern.serving.running import ADDRESS_FILE_VARIABLE
from discern.studio.commands import Command
from discern.studio.task_record import State, TaskRecord, load_record, save_record

_PATIENCE_SECONDS = 15.0
_MAX_OUTPUT_BYTES = 64 * 1024


class Address(NamedTuple):
    """Where the page of a task is served, and its token."""

    port: int
    token: str


class Task:
    """One command, running or ended; what it prints is in output.txt of its folder, and the rest in task.json."""

    def __init__(self, folder: Path, record: TaskRecord) -> None:
        self.folder = folder
        self.record = record
        self._token = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._last: dict[str, Any] | None = None

    @classmethod
    def load(cls, folder: Path) -> "Task | None":
        """Return the task of an earlier studio; None where its record is damaged."""
        record = load_record(folder)
        return None if record is None else cls(folder, record)

    def start(self, root: Path) -> None:
        """Start it in a folder; it ends with this process, even if that is killed.

        Raises:
            WriteError: Its record cannot be written.
        """
        self.folder.mkdir(parents=True)
        save_record(self.record, self.folder)
        variables = {
            "PYTHONIOENCODING": "utf-8",
            "DISCERN_TOKEN": self._token,
            INSIDE_VARIABLE: str(root),
            ADDRESS_FILE_VARIABLE: str(self._address_file),
        }
        with self.output_file.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "discern.cli.task", *self.record.words],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **variables},
                start_new_session=True,
            )
        threading.Thread(target=self._wait, args=(self._process,), daemon=True).start()

    @property
    def output_file(self) -> Path:
        """What it prints."""
        return self.folder / "output.txt"

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or its end is not recorded yet."""
        return self._process is not None and not self._ended.is_set()

    def find_address(self) -> Address | None:
        """Return where its page is served; None before it is, and after."""
        if not self.is_alive:
            return None
        try:
            return Address(int(read_json(self._address_file)["port"]), self._token)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def stop(self) -> None:
        """Ask it to end, and end it if it does not within some seconds; returns at once."""
        if self.is_alive:
            self.record.was_stopped = True
            self._signal(signal.SIGTERM)
            threading.Thread(target=self._end_late, daemon=True).start()

    def wait(self) -> None:
        """Return when it has ended."""
        if self._process is not None:
            self._ended.wait()

    def read_output(self) -> list[str]:
        """Return the last lines that it printed."""
        try:
            with self.output_file.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _MAX_OUTPUT_BYTES))
                return file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            return []

    def describe(self) -> dict[str, Any]:
        """Return what the page shows of it, which does not change any more once it has ended."""
        if self._last is not None:
            return self._last
        is_alive = self.is_alive
        found = self._describe(self.record.find_state(is_alive=is_alive))
        if not is_alive:
            self._last = found
        return found

    def _describe(self, state: State) -> dict[str, Any]:
        lines = [line for line in self.read_output() if line.strip()]
        return {
            **self.record.model_dump(mode="json", include={"number", "words", "place", "is_page", "started"}),
            "command": self.record.words[0],
            "text": Command(self.record.words, self.record.place).describe(),
            "state": state,
            "is_stopping": state == "running" and self.record.was_stopped,
            "lines": lines[-12:] if state == "failed" else lines[-1:],
            "page": f"pages/{self.record.number}/" if self.record.is_page and self.find_address() else None,
        }

    @property
    def _address_file(self) -> Path:
        return self.folder / "address.json"

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        self.record.code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self._address_file.unlink(missing_ok=True)
        with suppress(WriteError):  # its folder may be gone, or the disk full
            save_record(self.record, self.folder)
        self._ended.set()

    def _end_late(self) -> None:
        if not self._ended.wait(_PATIENCE_SECONDS):
            self._signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)

    def _signal(self, number: int) -> None:
        """Send a signal to the process and those that it has started."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, number)
            else:
                process.terminate()
