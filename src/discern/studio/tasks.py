"""The tasks of a studio: those that run, and those of earlier days, found again in their folders."""

import shutil
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from discern.serving.refusals import NOT_FOUND, OVERLOADED, Refusal
from discern.studio.commands import Command
from discern.studio.places import HIDDEN
from discern.studio.task import Task
from discern.studio.task_record import TaskRecord

_MAX_PAGES = 3
_MAX_RUNNING = 8
_MAX_KEPT = 50


class Tasks:
    """Starts commands in a folder, and keeps what came of them in a hidden folder there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._home = root / HIDDEN / "tasks"
        self._lock = threading.Lock()
        self._tasks = self._load()

    def start(self, command: Command) -> Task:
        """Start a command; a page that is served already is returned, and of several the oldest makes room.

        Raises:
            Refusal: Too many commands run already.
        """
        with self._lock:
            running = [task for task in self._tasks.values() if task.is_alive]
            pages = [task for task in running if task.record.is_page]
            known = next((page for page in pages if page.record.words == command.words), None)
            if known is not None and command.is_page:
                return known
            if command.is_page and len(pages) >= _MAX_PAGES:
                pages[0].stop()
            elif len(running) >= _MAX_RUNNING:
                raise Refusal(OVERLOADED, f"{_MAX_RUNNING} commands run already; wait for one, or stop one")
            return self._add(command)

    def find(self, number: int) -> Task:
        """Return a task by its number.

        Raises:
            Refusal: There is none.
        """
        if number not in self._tasks:
            raise Refusal(NOT_FOUND, f"there is no task {number}")
        return self._tasks[number]

    def describe(self) -> list[dict[str, Any]]:
        """Return what the page shows of all tasks, the newest first."""
        return [task.describe() for _, task in sorted(self._tasks.items(), reverse=True)]

    def close(self) -> None:
        """End all that run."""
        running = [task for task in self._tasks.values() if task.is_alive]
        for task in running:
            task.stop()
        for task in running:
            task.wait()

    def _add(self, command: Command) -> Task:
        number = max((int(folder.name) for folder in self._list_folders()), default=0) + 1
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        record = TaskRecord(
            number=number, words=command.words, place=command.place, is_page=command.is_page, started=started
        )
        task = Task(self._home / str(number), record)
        task.start(self._root)
        self._tasks[number] = task
        return task

    def _load(self) -> dict[int, Task]:
        """Return the tasks of earlier studios; the oldest are removed."""
        folders = sorted(self._list_folders(), key=lambda folder: int(folder.name))
        for old in folders[:-_MAX_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        found = (Task.load(folder) for folder in folders[-_MAX_KEPT:])
        return {task.record.number: task for task in found if task is not None}

    def _list_folders(self) -> list[Path]:
        return [folder for folder in self._home.glob("*") if folder.name.isdecimal()]
