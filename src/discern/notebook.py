"""What a call shows in a notebook: one output below the cell, which is shown anew while the work goes on."""

import html
import time
from collections.abc import Mapping
from datetime import timedelta
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from rich.progress import Progress, TaskID

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

_SECONDS_BETWEEN_UPDATES = 0.25
_WARNING_STYLE = "border-left: 3px solid #d98200; padding-left: 0.5em"


class NotebookOutput:
    """Messages, a table and a progress bar in one output of a cell.

    The output replaces itself by its display id, which JupyterLab, VS Code, Colab and the classic notebook understand
    without widgets; where a program runs the notebook, only its last state is kept. Nothing is shown before there is
    something to show: VS Code never fills an output that is empty at first.
    """

    def __init__(self) -> None:
        self._parts: list[_Message | pd.DataFrame] = []
        self._table_place: int | None = None
        self._bar: _NotebookBar | None = None
        self._handle: DisplayHandle | None = None
        self._shown_at = 0.0
        self._lock = RLock()

    def add_message(self, text: str, *, is_warning: bool) -> None:
        """Show a message below what is there."""
        with self._lock:
            self._parts.append(_Message(text, is_warning))
            self.show()

    def set_table(self, table: pd.DataFrame) -> None:
        """Show a table, in the place of the earlier one if there is one."""
        with self._lock:
            if self._table_place is None:
                self._table_place = len(self._parts)
                self._parts.append(table)
            self._parts[self._table_place] = table
            self.show_if_due()

    def build_bar(self) -> Progress:
        """Return a bar that stands at the end of the output from its start to its stop."""
        return _NotebookBar(self)

    def set_bar(self, bar: "_NotebookBar | None") -> None:
        """Show a bar, or no bar any more."""
        with self._lock:
            self._bar = bar
            self.show()

    def show_if_due(self) -> None:
        """Show all anew, unless that was done a moment ago."""
        if time.monotonic() - self._shown_at >= _SECONDS_BETWEEN_UPDATES:
            self.show()

    def show(self) -> None:
        """Show all anew."""
        from IPython.display import display  # whoever has a notebook has IPython

        with self._lock:
            self._shown_at = time.monotonic()
            if self._handle is None:
                self._handle = display(self, display_id=True)
            else:
                self._handle.update(self)

    def __repr__(self) -> str:
        with self._lock:
            parts = [part if isinstance(part, _Message) else part.to_string(index=False) for part in self._parts]
            return "\n".join(map(str, parts))

    def _repr_html_(self) -> str:
        with self._lock:
            parts = [part.to_html() if isinstance(part, _Message) else build_html_table(part) for part in self._parts]
            return "\n".join(parts if self._bar is None else [*parts, self._bar.to_html()])


def build_html_table(table: pd.DataFrame) -> str:
    """Return a table as HTML that the notebook colours, in its light or dark theme; a long one is scrolled."""
    style = "max-height: 60em; overflow: auto"
    return f'<div style="{style}">{table.to_html(index=False, border=0)}</div>'


def build_html_facts(facts: Mapping[str, str]) -> str:
    """Return a table of names and what there is to say of each."""
    table = pd.DataFrame(facts.items()).to_html(index=False, header=False, border=0)
    return table.replace("<td>", '<td style="text-align: left">')


class _Message(NamedTuple):
    text: str
    is_warning: bool

    def __str__(self) -> str:
        return f"warning: {self.text}" if self.is_warning else self.text

    def to_html(self) -> str:
        style = "white-space: pre-wrap" + (f"; {_WARNING_STYLE}" if self.is_warning else "")
        return f'<div style="{style}">{html.escape(self.text)}</div>'


class _NotebookBar(Progress):
    """Rich's progress, with its estimate of the time that is left, drawn as HTML; Rich itself would need widgets."""

    def __init__(self, output: NotebookOutput) -> None:
        super().__init__(auto_refresh=False)
        self._output = output

    def start(self) -> None:
        """Show the bar."""
        self._output.set_bar(self)

    def stop(self) -> None:
        """Remove the bar."""
        self._output.set_bar(None)

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change the bar."""
        super().update(task_id, **changes)
        self._output.show_if_due()

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Move the bar."""
        super().advance(task_id, advance)
        self._output.show_if_due()

    def to_html(self) -> str:
        task = self.tasks[0]
        left = "" if task.time_remaining is None else f"; {timedelta(seconds=round(task.time_remaining))} left"
        bar = f'<progress value="{task.percentage:.1f}" max="100" style="width: 20em"></progress>'
        return f"<div>{bar} {html.escape(task.description)}{left}</div>"
