"""Pictures listed in a workbook."""

import logging
import zipfile
from pathlib import Path

import pytest

from data_pictures import MakeFolder
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture
def workbook(make_folder: MakeFolder) -> Path:
    """Two sheets beside pictures; the first begins with an empty row and column cells of several types."""
    folder = make_folder({"red": 2, "blue": 1})
    book = openpyxl.Workbook()
    book.active.title = "Birds"
    for row in ([], ["image", "label", None, "seen"], ["red/1.png", 7], ["red/2.png", "007", None, True], []):
        book.active.append(row)
    book.active.append(["blue/1.png", None])
    other = book.create_sheet("More birds")
    other.append(["file", "class"])
    other.append(["blue/1.png", "owl"])
    book.save(folder / "labels.xlsx")
    return folder / "labels.xlsx"


def test_the_first_sheet_is_read(workbook: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "discern"):
        frame = load_table(workbook).frame
    assert frame["id"].tolist() == ["red/1.png", "red/2.png", "blue/1.png"]
    assert frame["label"].fillna("").tolist() == ["7", "007", ""]
    assert "the first of its sheets Birds, More birds is read; for another give" in caplog.text
    assert "labels.xlsx/More birds" in caplog.text


def test_a_title_above_the_names_of_columns_is_noticed(workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    book.active.insert_rows(1)
    book.active["B1"] = "Birds of 2024"
    book.save(workbook)
    with pytest.raises(DataError, match=r"begins with 'Birds of 2024', .*: image, label, seen\. Remove"):
        load_table(workbook)


def test_another_sheet_is_named_like_a_file_in_a_folder(workbook: Path) -> None:
    table = load_table(workbook / "More birds")
    assert table.frame["label"].tolist() == ["owl"]
    assert table.source == str(workbook / "More birds")
    assert load_inputs(workbook / "More birds").frame["id"].tolist() == ["blue/1.png"]
    with pytest.raises(DataError, match="there is no sheet 'Fish'; its sheets are Birds, More birds"):
        load_table(workbook / "Fish")


def test_a_workbook_in_an_archive(workbook: Path) -> None:
    archive = workbook.parent.parent / "birds.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for name in ("labels.xlsx", "red/1.png", "red/2.png", "blue/1.png"):
            opened.write(workbook.parent / name, name)
    assert load_table(archive / "labels.xlsx" / "More birds").frame["label"].tolist() == ["owl"]


def test_a_file_that_is_no_workbook(tmp_path: Path, workbook: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(workbook.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.xlsx: not readable as a workbook: .* Save the table as CSV UTF-8"):
        load_table(tmp_path / "a.xlsx")
    openpyxl.Workbook().save(tmp_path / "empty.xlsx")
    with pytest.raises(DataError, match="the sheet 'Sheet' is empty; expected names of columns"):
        load_table(tmp_path / "empty.xlsx")
