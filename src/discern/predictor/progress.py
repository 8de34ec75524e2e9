"""How far a long prediction has come."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger("discern")

_SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def showing_progress(console: Console | None, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is called with the number of pictures after each batch.

    A terminal shows a bar, which disappears at the end; another output gets a line every half minute.
    """
    is_terminal = console is not None and console.is_terminal
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("pictures, left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not is_terminal) as bar:
        task = bar.add_task("", total=total)
        last, done = monotonic(), 0

        def advance(count: int) -> None:
            nonlocal last, done
            done += count
            bar.advance(task, count)
            if not is_terminal and monotonic() - last > _SECONDS_BETWEEN_LINES:
                last = monotonic()
                logger.info("%d of %d pictures", done, total)

        yield advance
