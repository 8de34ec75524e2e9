"""How far a long prediction has come."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from discern.config.duration import describe_range
from discern.console import MessageLog
from discern.counts import count_of

logger = logging.getLogger("discern")

_SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def showing_progress(messages: MessageLog, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that is called with the number of pictures after each batch.

    A terminal or a notebook shows a bar, which disappears at the end; another output gets a line every half minute,
    with how much time is left.
    """
    bar = messages.build_bar(BarColumn(), MofNCompleteColumn(), TextColumn("pictures, left"), TimeRemainingColumn())
    if bar is None:
        yield _build_log_lines(total)
        return
    task = bar.add_task(count_of(total, "picture"), total=total)
    with bar:
        yield partial(bar.advance, task)


def _build_log_lines(total: int) -> Callable[[int], None]:
    started = last = monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal last, done
        done += count
        if monotonic() - last > _SECONDS_BETWEEN_LINES:
            last = monotonic()
            left = (last - started) * (total - done) / done
            logger.info("%d of %d pictures; %s left", done, total, describe_range(left, left))

    return advance
