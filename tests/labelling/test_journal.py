"""The file of answers: appended to, flushed, and never torn."""

import os
import re

import pytest

from discern.errors import DataError, WriteError
from discern.labelling.journal import Journal, JournalRow

FIRST = JournalRow("../a b.jpg", "ant", "2026-01-01T00:00:00+00:00", "asked")
SECOND = JournalRow('../"c",d.jpg', "bee, young", "2026-01-01T00:00:01+00:00", "drawn")


def test_what_is_appended_is_read_again_and_stays_as_it_was(tmp_path):
    path = tmp_path / "labels.csv"
    journal = Journal(path)
    journal.append([FIRST])
    before = path.read_bytes()
    journal.append([SECOND, FIRST])
    assert path.read_bytes().startswith(before)
    assert Journal(path).rows == journal.rows == [FIRST, SECOND, FIRST]


def test_a_line_that_a_kill_cut_off_does_not_count_and_is_replaced(tmp_path):
    path = tmp_path / "labels.csv"
    Journal(path).append([FIRST])
    with path.open("a") as file:
        file.write("../e.jpg,an")
    journal = Journal(path)
    assert journal.rows == [FIRST]
    journal.append([SECOND])
    assert Journal(path).rows == [FIRST, SECOND]


def test_what_cannot_be_flushed_is_not_there(tmp_path, monkeypatch):
    path = tmp_path / "labels.csv"
    journal = Journal(path)
    journal.append([FIRST])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(WriteError, match="the disk is full"):
            journal.append([SECOND])
    assert journal.rows == Journal(path).rows == [FIRST]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,label\na.jpg,ant\n", "its first line is ['image', 'label']; expected path, label, time, how"),
        (b"path,label,time,how\na.jpg,ant\n", "other columns in row 1;"),
        (b"", "its first line is []; expected path, label, time, how"),
        (b"path,label,time,how\n\xff\n", "not readable as labels"),
    ],
)
def test_another_file_is_refused(tmp_path, content, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        Journal(path)
