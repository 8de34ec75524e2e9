"""Where the log of a workflow goes: to the log file of its run and, if asked for, to the terminal or the notebook."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, ProgressColumn

from discern.notebook import NotebookOutput
from discern.processes import join_processes

logger = logging.getLogger("discern")

_KEPT_MESSAGES = 1_000
"""The last messages before a log file is opened; a server, which has none, runs for months."""


class MessageLog:
    """The messages of a workflow, from `level` on shown on `screen` if there is one, and kept for the log file."""

    def __init__(self, screen: Console | NotebookOutput | None, level: int = logging.INFO) -> None:
        self._screen = screen
        self._kept = _KeptMessages()
        self._handlers: list[logging.Handler] = [self._kept]
        if isinstance(screen, NotebookOutput):
            self._handlers.append(_NotebookHandler(screen, level))
        elif screen is not None:
            self._handlers.append(_ConsoleHandler(screen, level))
        for handler in self._handlers:
            logger.addHandler(handler)

    @property
    def are_shown(self) -> bool:
        """Whether somebody sees the messages before the log file has them."""
        return self._screen is not None

    @property
    def notebook(self) -> NotebookOutput | None:
        """The output in a notebook, if that is where messages are shown."""
        return self._screen if isinstance(self._screen, NotebookOutput) else None

    def build_bar(self, *columns: str | ProgressColumn) -> Progress | None:
        """Return a progress bar for a terminal or a notebook, which disappears at its stop; None for other outputs."""
        if isinstance(self._screen, NotebookOutput):
            return self._screen.build_bar()
        if self._screen is None or not self._screen.is_terminal:
            return None
        return Progress(*columns, console=self._screen, transient=True)

    def open_log(self, path: Path) -> None:
        """Append all messages, earlier and later ones, to a file, with the time."""
        file_handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
        file_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.removeHandler(self._kept)
        for record in self._kept.records:
            file_handler.handle(record)
        self._kept.records.clear()
        logger.addHandler(file_handler)
        self._handlers.append(file_handler)

    def close(self) -> None:
        """Stop logging messages."""
        for handler in self._handlers:
            logger.removeHandler(handler)
            handler.close()


@contextmanager
def reporting(*, verbose: bool) -> Iterator[MessageLog]:
    """Collect the messages of the program; show them on standard output, or in the notebook, if `verbose`.

    Details, which are of level DEBUG, are shown only if the logger is at that level already; the log file has them in
    any case. Of several processes, only the first one shows messages.
    """
    level = logger.level
    shown = logging.DEBUG if level == logging.DEBUG else logging.INFO
    messages = MessageLog(_choose_screen() if verbose and join_processes().is_main else None, shown)
    logger.setLevel(logging.DEBUG)
    try:
        yield messages
    finally:
        logger.setLevel(level)
        messages.close()


def _choose_screen() -> Console | NotebookOutput:
    console = build_console()
    return NotebookOutput() if console.is_jupyter else console


def build_console() -> Console:
    """Return a console on standard output that does not colour numbers or break lines."""
    return Console(highlight=False, soft_wrap=True)


def show_details(asked: bool) -> None:
    """Let workflows show what only the log file has otherwise, if a user asks for it."""
    if asked:
        logger.setLevel(logging.DEBUG)


def fit_encoding(text: str, encoding: str) -> str:
    r"""Return the text with an escape, such as `\u72d7`, for each character that the encoding lacks."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


class _KeptMessages(logging.Handler):
    """Keeps the last messages."""

    def __init__(self) -> None:
        super().__init__()
        self.records: deque[logging.LogRecord] = deque(maxlen=_KEPT_MESSAGES)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class _LogFile(logging.FileHandler):
    """A log file without which the work goes on, for instance when the disk is full."""

    _failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging names it
        """Say once that lines are missing."""
        if not self._failed:
            self._failed = True
            logger.warning("%s cannot be written any more, for instance since the disk is full", self.baseFilename)

    def close(self) -> None:
        """Close the file, whether or not its last lines can be written."""
        with suppress(OSError):
            super().close()


class _ConsoleHandler(logging.Handler):
    """Prints through Rich, so that a line does not break a live progress bar."""

    def __init__(self, console: Console, level: int) -> None:
        super().__init__(level)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        # The stream may be of the program that calls discern, so that its error handler is not ours to change.
        message = fit_encoding(self.format(record), self._console.encoding)
        self._console.print(message, style=style, markup=False)


class _NotebookHandler(logging.Handler):
    """Adds messages to the output of a cell."""

    def __init__(self, output: NotebookOutput, level: int) -> None:
        super().__init__(level)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.add_message(self.format(record), is_warning=record.levelno >= logging.WARNING)
