"""The command line in a process that another command starts: it ends with that one, even if that one is killed."""

import os
import sys
from threading import Thread

from discern.cli.app import main


def end_with_parent() -> None:
    """End this process as soon as the one that started it, and holds the other end of its standard input, is gone."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os._exit(1)

    Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    end_with_parent()
    main()
