"""What is kept of a task, a command that the studio has started, in its folder."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from discern.files import read_json, write_json

_FILE = "task.json"

State = Literal["running", "done", "stopped", "failed"]


class TaskRecord(BaseModel):
    """The content of task.json; `code` is the exit code of a task that has ended by itself or was stopped."""

    number: int
    words: tuple[str, ...]
    place: str
    is_page: bool
    started: str
    code: int | None = None
    was_stopped: bool = False

    def find_state(self, *, is_alive: bool) -> State:
        """Return how it is with the task; one that ended with the studio counts as stopped."""
        if is_alive:
            return "running"
        if self.code in self._good_codes:
            return "done"
        return "stopped" if self.was_stopped or self.code is None else "failed"

    @property
    def _good_codes(self) -> tuple[int, ...]:
        """Those with which the command has done its work: an audit that finds errors exits with 1."""
        return (0, 1) if self.words[0] == "audit" else (0,)


def save_record(record: TaskRecord, folder: Path) -> None:
    """Write the record of a task."""
    write_json(folder / _FILE, record.model_dump(mode="json"))


def load_record(folder: Path) -> TaskRecord | None:
    """Return the record of a task; None where it is missing or damaged."""
    try:
        return TaskRecord.model_validate(read_json(folder / _FILE))
    except (OSError, ValueError):
        return None
