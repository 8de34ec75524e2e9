"""Lists of pictures in a text file: how a line is cut into picture and label."""

from pathlib import Path

import pytest

from data_pictures import MakeFolder
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.data.sources.text_list import read_text_list
from discern.errors import DataError


def read(tmp_path: Path, text: str) -> dict[str, list[str]]:
    (tmp_path / "list.txt").write_text(text)
    return {str(name): cells.tolist() for name, cells in read_text_list(tmp_path / "list.txt").items()}


TWO = {"image": ["red/1.png", "blue/1.png"], "label": ["a", "b c"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red/1.png a\nblue/1.png b c\n", TWO),
        ("red/1.png\ta\nblue/1.png\tb c\n", TWO),
        ("red/1.png,a\r\nblue/1.png , b c\r\n", TWO),
        ("red/1.png;a\n\n# a remark\nblue/1.png;b c", TWO),
        ('"red/1.png",a\nblue/1.png,"b c"\n', TWO),
        ("image label\nred/1.png a\nblue/1.png b", {"image": ["red/1.png", "blue/1.png"], "label": ["a", "b"]}),
        ("a,red/1.png\nb c,blue/1.png\n", {"label": ["a", "b c"], "image": ["red/1.png", "blue/1.png"]}),
        ("my red/1.png 0\nmy blue/1 a.PNG 12\n", {"image": ["my red/1.png", "my blue/1 a.PNG"], "label": ["0", "12"]}),
        ("1025 707-320\n0034 Boeing 737\n", {"image": ["1025", "0034"], "label": ["707-320", "Boeing 737"]}),
        ("7 red/1.png\n8 blue/1.png\n", {"id": ["7", "8"], "image": TWO["image"]}),
        ("0 red/1.png\n0 blue/1.png\n", {"label": ["0", "0"], "image": TWO["image"]}),
        ("0\t3\tred/1.png\n1\t3\tblue/1.png\n", {"id": ["0", "1"], "label": ["3", "3"], "image": TWO["image"]}),
        ("A_1 1 2\nB_2 1 3", {"image": ["A_1", "B_2"], "column 2": ["1", "1"], "column 3": ["2", "3"]}),
        ("red/1.png\nblue/1.png\n", {"image": ["red/1.png", "blue/1.png"]}),
    ],
)  # fmt: skip
def test_forms_of_lines(tmp_path: Path, text: str, expected: dict[str, list[str]]) -> None:
    assert read(tmp_path, text) == expected


def test_a_list_is_a_source(make_folder: MakeFolder) -> None:
    folder = make_folder({"red": 2, "blue": 1})
    (folder / "list.txt").write_text("red/1.png a\nred/2.png\nblue/1.png b\n")
    table = load_table(folder / "list.txt")
    assert table.frame["label"].fillna("").tolist() == ["a", "", "b"]
    (folder / "new.lst").write_text("red/1\nblue/1\n")
    assert load_inputs(folder / "new.lst").frame["id"].tolist() == ["red/1", "blue/1"]


def test_columns_of_a_list_are_named_by_their_place(make_folder: MakeFolder) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    (folder / "list.txt").write_text("red/1.png 1 2\nblue/1.png 3 4\n")
    with pytest.raises(DataError, match=r"columns are image, column 2, column 3\. .*: label_column=.NAME"):
        load_table(folder / "list.txt")
    table = load_table(folder / "list.txt", ColumnSettings(label_column="column 3"))
    assert table.frame["label"].tolist() == ["2", "4"]


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"list\.txt: empty; expected a picture and its label in each line, such as\n"):
        read(tmp_path, "# nothing\n\n")
    with pytest.raises(DataError, match=r"more or fewer cells than the 2 of the first:\n  blue/1\.png,b,c$"):
        read(tmp_path, "red/1.png,a\nblue/1.png,b,c\n")
    (tmp_path / "list.txt").write_bytes(b"red/1.png caf\xe9\n")
    with pytest.raises(DataError, match=r"not readable as text in UTF-8: .* It is text in another encoding"):
        load_table(tmp_path / "list.txt")
