"""Where a workflow's words go: to the log file of its run, and to the console where asked for."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

logger = logging.getLogger("discern")


class _ConsoleHandler(logging.Handler):
    """Prints through Rich, so that a line does not break a live progress bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        self._console.print(self.format(record), style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def reporting(log_file: Path | None = None, console: Console | None = None) -> Iterator[None]:
    """Send what the program says to a file, with the time, and to a console, meanwhile."""
    handlers: list[logging.Handler] = []
    if log_file is not None:
        file_handler = logging.FileHandler(log_file, encoding="utf-8")
        file_handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(file_handler)
    if console is not None:
        handlers.append(_ConsoleHandler(console))
    level = logger.level
    logger.setLevel(logging.INFO)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.setLevel(level)
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
