"""The file labels.csv, to which every answer is appended; nothing that is written there is changed again."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from discern.counts import noun_of
from discern.data.sources.label_journal import DRAWN, DRAWN_COPY, JOURNAL_COLUMNS
from discern.errors import DataError, name_some
from discern.files import explain_write_error, write_atomically

ASKED, SUGGESTED, CONFIRMED, COPY = "asked", "suggested", "confirmed", "copy"
UNDONE, DISAGREED = "undone", "disagreed"
LABELLED = (ASKED, SUGGESTED, CONFIRMED, DRAWN)
"""How a person labelled a picture: as asked, with a suggestion shown, in a grid of look-alikes, or drawn at random."""
COPIES = (COPY, DRAWN_COPY)
"""How a file got its label that shows the same as a labelled one."""


class JournalRow(NamedTuple):
    """A line of the file: a picture, its label ("" for none), the time (UTC), and how it came to it."""

    path: str
    label: str
    time: str
    how: str


class Journal:
    """The rows of a labels.csv; what `append` is given is on the disk when it returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[JournalRow] = read_journal(path) if path.is_file() else []

    def append(self, rows: Sequence[JournalRow]) -> None:
        """Write rows, all or none.

        Raises:
            WriteError: They cannot be written.
        """
        text = format_rows(rows)
        if not self.path.is_file():
            write_atomically(self.path, format_rows([JOURNAL_COLUMNS]) + text)
        else:
            _append(self.path, text.encode())
        self.rows += rows


def read_journal(path: Path) -> list[JournalRow]:
    """Return the rows of a labels.csv; a last line that was cut off when its writer was killed does not count.

    Raises:
        DataError: It is no such file.
    """
    try:
        text = path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1].decode("utf-8")
        header, *rows = list(csv.reader(io.StringIO(whole, newline=""), strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not readable as labels of discern label: {error}") from None
    odd = [str(number) for number, row in enumerate(rows, start=1) if len(row) != len(JOURNAL_COLUMNS)]
    found = f"other columns in {noun_of(len(odd), 'row')} {name_some(odd)}" if odd else ""
    if tuple(header) != JOURNAL_COLUMNS:
        found = f"its first line is {header}"
    if found:
        raise DataError(
            f"{path}: {found}; expected {', '.join(JOURNAL_COLUMNS)}. Mend it, or move it away to start again."
        )
    return [JournalRow(*row) for row in rows]


def name_file(file: str, folder: str) -> str:
    """Return the path of a file as a journal in a folder, which is absolute, has it: from there on, with `/`."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return Path(file).resolve().as_posix()


def format_rows(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as lines of CSV."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def _append(path: Path, text: bytes) -> None:
    """Append to a file and flush it to the disk; take away what was cut off, by a kill earlier or an error now."""
    try:
        with path.open("rb+") as file:
            content = file.read()
            end = content.rfind(b"\n") + 1
            file.truncate(end)
            file.seek(end)
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise explain_write_error(error, path) from error
