"""The answers about the pictures of a heap, each on the disk before it holds."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC, datetime

from discern.data.sources.label_journal import DRAWN, DRAWN_COPY
from discern.errors import DataError
from discern.labelling.answers import Answer, replay
from discern.labelling.journal import COPY, UNDONE, Journal, JournalRow, name_file
from discern.labelling.question import Reason

logger = logging.getLogger("discern")


class AnswerBook:
    """Keeps the journal and the `answers` that hold together.

    Args:
        journal: The file, to which rows are appended.
        files: Those of each picture, of which all but the first are copies.

    Raises:
        DataError: All of the journal is about other pictures.
    """

    def __init__(self, journal: Journal, files: Sequence[Sequence[str]]) -> None:
        self._journal, self._files = journal, files
        self._folder = str(journal.path.resolve().parent)
        rows = {os.path.abspath(file): row for row, some in enumerate(files) for file in some}  # noqa: PTH100 - of many
        self.answers, num_strange = replay(journal.rows, rows, self._folder)
        if num_strange and not len(self.answers):
            raise DataError(
                f"{journal.path}: none of its {num_strange} files is among these pictures. Give the pictures that it "
                "is about, or another --out."
            )
        if num_strange:
            logger.warning("%s has answers about %d files that are not here; they stay", journal.path, num_strange)

    def list_labels(self) -> tuple[str, ...]:
        """Return all labels that were ever given, in the order in which they came."""
        return tuple(dict.fromkeys(row.label for row in self._journal.rows if row.label))

    def add(self, rows: Sequence[int], label: str, reason: Reason | None, how: str) -> None:
        """Let one answer hold about pictures of the heap.

        Raises:
            WriteError: It cannot be written; then nothing is answered.
        """
        now = _read_clock()
        self._journal.append([line for row in rows for line in self._build_lines(row, label, now, how)])
        for row in rows:
            self.answers.add(Answer(row, label, reason, now, how))

    def undo(self) -> int | None:
        """Take the last answer back, and all of a grid together; return the first of its rows, None where none is.

        Raises:
            WriteError: It cannot be written; then the answer stays.
        """
        rows = self.answers.list_last()
        if not rows:
            return None
        now = _read_clock()
        self._journal.append([line for row in rows for line in self._build_lines(row, "", now, UNDONE)])
        for row in rows:
            self.answers.remove(row)
        return rows[0]

    def _build_lines(self, row: int, label: str, now: str, how: str) -> list[JournalRow]:
        """Return the lines of an answer: one for the picture, and one for each other file that shows the same."""
        first, *others = (name_file(file, self._folder) for file in self._files[row])
        copied = DRAWN_COPY if how == DRAWN else COPY
        return [JournalRow(first, label, now, how), *(JournalRow(other, label, now, copied) for other in others)]


def _read_clock() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
