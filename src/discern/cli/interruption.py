"""Ends a command that is interrupted with one line and the exit code that shells and clusters expect."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM, which a cluster sends when the time is up, give back what is held before the end.

    What comes of them on the way counts as the interruption, too: an import that was cut short fails in any manner.

    Raises:
        SystemExit: A signal came; the code is 128 and its number.
    """
    command, came = os.getpid(), []

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as the system calls it
        if number == signal.SIGTERM and os.getpid() != command:
            os._exit(128 + number)  # a forked loader, which owns nothing
        came.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + number)

    # A job in the background may be told to ignore Ctrl-C.
    taken = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    earlier = {number: signal.signal(number, end) for number in taken}
    try:
        yield
    except BaseException:
        if not came:
            raise
    finally:
        for number, handler in earlier.items():
            signal.signal(number, signal.SIG_DFL if came else handler)
    if came:
        print("discern: interrupted", file=sys.stderr)
        sys.exit(128 + came[0])
