"""The command line in a process that another command starts: it ends with that one, even if that one is killed."""

import os
import sys
from threading import Thread
from typing import NoReturn

from discern.cli.app import fail, find_write_error, main
from discern.errors import DiscernError


def end_with_parent() -> None:
    """End this process as soon as the one that started it, and holds the other end of its standard input, is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def end(error: DiscernError | OSError) -> NoReturn:
    """End this process so that the one that started it knows a file that could not be written from other errors."""
    from discern.tuning.child_error import end_unwritten

    unwritten = find_write_error(error)
    if unwritten is None:
        fail(error)
    end_unwritten(unwritten)


if __name__ == "__main__":
    end_with_parent()
    main(end)
