"""What people decide about pictures, kept in a CSV of their own; no picture and no label of theirs is changed."""

import csv
import io
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from discern.counts import noun_of
from discern.errors import DataError, name_some
from discern.files import write_atomically

COLUMNS = ("path", "action", "old", "new", "time")
_EXPECTED = f"expected {', '.join(COLUMNS)}. Mend it, or move it away to start again."


class Decision(NamedTuple):
    """One row: of the picture at `path` (or of this id), with the label `old`, and `new` if the label changes."""

    path: str
    action: str
    old: str
    new: str
    time: str


class Decisions:
    """The file overrides.csv: a decision is its last row, and on the disk before it counts; undoing takes it away.

    Of several rows for a picture the last holds, here as in `discern train --apply`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._rows = _read(path)

    def __len__(self) -> int:
        return len(self._rows)

    def find(self) -> dict[str, Decision]:
        """Return the decision that holds for each picture that has one."""
        return {row.path: row for row in self._rows}

    def add(self, path: str, action: str, *, old: str, new: str = "") -> Decision:
        """Decide about a picture.

        Raises:
            WriteError: It cannot be written; then nothing is decided.
        """
        decision = Decision(path, action, old, new, datetime.now(UTC).isoformat(timespec="seconds"))
        with self._lock:
            write_atomically(self.path, _to_text([COLUMNS, *self._rows, decision]))
            self._rows.append(decision)
        return decision

    def undo(self) -> Decision | None:
        """Take the last decision back and return it, or None where there is none."""
        with self._lock:
            if not self._rows:
                return None
            write_atomically(self.path, _to_text([COLUMNS, *self._rows[:-1]]))
            return self._rows.pop()


def _read(path: Path) -> list[Decision]:
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8")
        header, *rows = list(csv.reader(io.StringIO(text, newline=""))) or [list(COLUMNS)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not readable as a CSV of decisions: {error}; move it away to start again") from None
    if tuple(header) != COLUMNS:
        raise DataError(f"{path}: its columns are {name_some(header)}; {_EXPECTED}")
    odd = [str(number) for number, row in enumerate(rows, start=1) if len(row) != len(COLUMNS)]
    if odd:
        raise DataError(f"{path}: other columns in {noun_of(len(odd), 'row')} {name_some(odd)}; {_EXPECTED}")
    return [Decision(*row) for row in rows]


def _to_text(rows: Iterable[tuple[str, ...]]) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
