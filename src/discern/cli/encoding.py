"""Text in and out of the command line, whatever the encoding of terminal and locale."""

import io
import os
import sys


def read_names_as_utf8() -> None:
    """Start the interpreter again in UTF-8 mode where it would read names of files and arguments as something else.

    Under LC_ALL=C with PYTHONUTF8=0, a name like `Caf\u00e9` is no text for Python, and files are written as ASCII.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


def escape_unprintable() -> None:
    """Write an escape for a character that standard output or error output cannot show, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
