import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from data_pictures import MakeFolder, draw
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError


@pytest.fixture
def photos(make_folder: MakeFolder) -> Path:
    """photos/1.png .. photos/4.png"""
    return make_folder({".": 4})


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_ids_without_extension_and_whole_number_labels(photos: Path) -> None:
    table = load_table(write(photos, "id,label\n1,10\n2,2\n3,10\n"))
    assert table.frame["id"].tolist() == ["1", "2", "3"]
    assert [Path(path).name for path in table.frame["path"]] == ["1.png", "2.png", "3.png"]
    assert table.class_names == ("2", "10")


def test_extension_by_setting(photos: Path) -> None:
    draw(9).save(photos / "1.jpg")
    path = write(photos, "id,label\n1,a\n2,b\n")
    with pytest.raises(DataError, match=r"names that fit several files:\n  1: 1.jpg, 1.png\nWrite the extension"):
        load_table(path)
    for suffix in (".png", "png"):
        table = load_table(path, ColumnSettings(image_suffix=suffix))
        assert [Path(name).name for name in table.frame["path"]] == ["1.png", "2.png"]


def test_ending_that_is_no_extension(photos: Path) -> None:
    (photos / "1.png").rename(photos / "1_small.png")
    table = load_table(write(photos, "id,label\n1,a\n"), ColumnSettings(image_suffix="_small.png"))
    assert Path(table.frame["path"][0]).name == "1_small.png"


def test_dots_in_names_are_no_extension(photos: Path) -> None:
    (photos / "1.png").rename(photos / "bird.v1.png")
    (photos / "2.png").rename(photos / "bird.v2.png")
    table = load_table(write(photos, "id,label\nbird.v1,a\nbird.v2,b\n"))
    assert [Path(name).name for name in table.frame["path"]] == ["bird.v1.png", "bird.v2.png"]


def test_image_root_and_columns_by_setting(photos: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "what,where,who,part\nant,1.png,p1,train\nbee,2.png,p2,val\n")
    settings = ColumnSettings("where", "what", photos, split_column="part", group_column="who")
    frame = load_table(path, settings).frame
    assert frame["label"].tolist() == ["ant", "bee"]
    assert frame["split"].tolist() == ["train", "validation"]
    assert frame["group"].tolist() == ["p1", "p2"]


def test_every_cell_is_text_as_written(photos: Path) -> None:
    (photos / "1.png").rename(photos / "007.png")
    table = load_table(write(photos, "image,label\n007.png,NA\n2.png,1.50\n3.png,\n"))
    assert table.frame["id"].tolist() == ["007.png", "2.png", "3.png"]
    assert table.class_names == ("1.50", "NA")
    assert table.targets().tolist() == [1, 0, -1]


def test_blanks_around_cells_and_names_of_columns_do_not_count(photos: Path) -> None:
    path = write(photos, "image , label,split,who\n1.png, ant,train ,p1\n 2.png,ant , val, p1 \n3.png,  ,train,\n")
    frame = load_table(path, ColumnSettings(label_column="label", group_column="who")).frame
    assert frame["id"].tolist() == ["1.png", "2.png", "3.png"]
    assert frame["label"].fillna("missing").tolist() == ["ant", "ant", "missing"]
    assert frame["split"].tolist() == ["train", "validation", "train"]
    assert frame["group"].fillna("missing").tolist() == ["p1", "p1", "missing"]


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_rows_with_more_cells_than_columns_are_listed(photos: Path, separator: str) -> None:
    text = "image,label\n1.png,a\n\n2.png,b,c\n3.png,a,\n".replace(",", separator)
    with pytest.raises(DataError, match=r"rows with more cells than the 2 columns image, label:") as error:
        load_table(write(photos, text))
    lines = str(error.value).splitlines()
    assert [line.split(",")[0] for line in lines[1:3]] == ["  line 4: 3 cells", "  line 5: 3 cells"]
    assert repr(f"2.png{separator}b{separator}c") in lines[1]
    assert "in double quotes" in lines[3]


def test_rows_with_fewer_cells_and_cells_with_a_separator(photos: Path) -> None:
    table = load_table(write(photos, 'image,label,note\n1.png,"a, b"\n2.png,c,x\n'))
    assert table.class_names == ("a, b", "c")
    assert load_table(write(photos, "image;label\n1.png;a, b\n2.png;c\n")).class_names == ("a, b", "c")


def test_column_without_a_name_is_not_lost(photos: Path) -> None:
    path = write(photos, ",image,\n0,1.png,a\n1,2.png,b\n")
    with pytest.raises(DataError, match=r"no column looks like the label. Its columns are column 1, image, column 3"):
        load_table(path)
    assert load_table(path, ColumnSettings(label_column="column 3")).class_names == ("a", "b")


def test_two_columns_of_one_name(photos: Path) -> None:
    message = r"several columns are called 'label'. Its columns are image, label, label. Rename or remove all but one"
    with pytest.raises(DataError, match=message):
        load_table(write(photos, "image,label,label\n1.png,a,b\n"))
    frame = pd.DataFrame([["1.png", "a", "b"]], columns=["image", "label", "label"])
    with pytest.raises(DataError, match=message):
        load_table(frame, ColumnSettings(image_root=photos))


def test_index_of_a_frame_does_not_matter(photos: Path) -> None:
    frame = pd.DataFrame({"image": ["1.png", "2.png"], "label": ["a", "b"], "split": ["train", "val"]}, index=[7, 7])
    table = load_table(frame, ColumnSettings(image_root=photos))
    assert table.targets().tolist() == [0, 1]
    assert table.frame["split"].tolist() == ["train", "validation"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_a_byte_order_mark(photos: Path, separator: str) -> None:
    text = "\ufeffimage,label\n1.png,a\n2.png,b\n".replace(",", separator)
    assert load_table(write(photos, text)).frame["id"].tolist() == ["1.png", "2.png"]


@pytest.mark.parametrize("separator", [",", ";", "#"])
def test_a_first_line_that_says_the_separator(photos: Path, separator: str) -> None:
    file = write(photos, f"sep={separator}\r\nimage,label\r\n1.png,a\r\n2.png,b\r\n".replace(",", separator))
    assert load_table(file).frame["label"].tolist() == ["a", "b"]
    file = write(photos, f"sep={separator}\nimage,label\n1.png,a,b\n".replace(",", separator))
    with pytest.raises(DataError, match="line 3: 3 cells"):
        load_table(file)


@pytest.mark.parametrize("title", ["Birds of 2024\n", "Birds of 2024,\n,\n", "# made by hand\n"])
@pytest.mark.parametrize("names", ["id,label", "File Name,species,rank"])
def test_a_title_above_the_names_of_columns_is_noticed(photos: Path, title: str, names: str) -> None:
    file = write(photos, f"{title}{names}\n1.png,a\n2.png,b\n")
    with pytest.raises(
        DataError, match=f"begins with '.*, and the names of the columns .*: {names.replace(',', ', ')}."
    ):
        load_table(file)


def test_a_class_called_image_is_no_name_of_a_column(photos: Path) -> None:
    file = write(photos, "scan,kind\n1.png,image\n2.png,name\n")
    assert load_table(file, ColumnSettings(image_column="scan")).class_names == ("image", "name")
    file = write(photos, "image\n1.png\n2.png\n")
    assert load_inputs(file).frame["id"].tolist() == ["1.png", "2.png"]


@pytest.mark.parametrize(("beginning", "line"), [("", 3), ("sep=,\n", 4)])
def test_a_quote_that_does_not_end_is_placed(photos: Path, beginning: str, line: int) -> None:
    file = write(photos, f'{beginning}image,label\n1.png,a\n2.png,"b\n3.png,a\n')
    with pytest.raises(DataError, match=f"Look from line {line} on for a cell that begins with a double quote"):
        load_table(file)


def test_path_goes_before_id_and_a_lone_column_is_the_label(photos: Path) -> None:
    table = load_table(write(photos, "id,path,rank\nx,1.png,a\ny,2.png,b\n"))
    assert table.frame["id"].tolist() == ["1.png", "2.png"]
    assert table.class_names == ("a", "b")


def test_ids_of_the_table_itself_are_kept_as_they_are_written(photos: Path) -> None:
    table = load_table(write(photos, "id,file_name,label\n268243,1.png,a\n007,2.png,b\n"))
    assert table.frame["id"].tolist() == ["1.png", "2.png"]
    assert table.frame["own_id"].tolist() == ["268243", "007"]
    frame = pd.DataFrame({"image_id": [268243, 7], "path": ["1.png", "2.png"], "label": ["a", "b"]})
    assert load_table(frame, ColumnSettings(image_root=photos)).frame["own_id"].tolist() == ["268243", "7"]


@pytest.mark.parametrize("ids", ["1,1", "1,"])
def test_a_column_that_does_not_tell_pictures_apart_is_no_id(photos: Path, ids: str) -> None:
    first, second = ids.split(",")
    table = load_table(write(photos, f"id,image,label\n{first},1.png,a\n{second},2.png,b\n"))
    assert table.frame["own_id"].isna().all()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "file,path,label",
            "'file' and 'path' could each be the column of the picture. .* Say which it is: image_column=.NAME.\\.$",
        ),
        (
            "image,label,class",
            "'label' and 'class' could each be the column of the label. .* Say which it is: label_column=.NAME.\\.$",
        ),
        (
            "when,label,where",
            r"no column looks like the file name of a picture. Its columns are when, label, where. If one of them is, "
            r'say which: image_column="NAME". Expected is a table such as\n  image,label',
        ),
        (
            "image,when,where",
            r"no column looks like the label. Its columns are image, when, where. If one of them is, say which: "
            r'label_column="NAME". Otherwise write the labels, as in\n  image,label',
        ),
        ("image", r"no column looks like the label. Its columns are image. Write the labels, as in\n  image,label"),
    ],
)
def test_columns_that_cannot_be_guessed(photos: Path, header: str, message: str) -> None:
    row = ",".join("1ab"[: len(header.split(","))])
    with pytest.raises(DataError, match=message) as error:
        load_table(write(photos, f"{header}\n{row}\n"))
    for name in ("image", "label"):
        count = str(error.value).count(f'{name}_column="NAME"')
        assert error.value.for_command_line().count(f": data.{name}_column=NAME") == count
        assert error.value.for_command_line(takes_settings=False).count(f": --{name}-column NAME") == count


def test_labels_that_are_not_needed_are_not_asked_for(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="discern")
    file = write(photos, "image,label,class\n1.png,a,b\n")
    assert load_inputs(file).frame["label"].isna().all()
    assert f"{file}: no labels are read, since 'label' and 'class' could each be their column" in caplog.text
    assert load_inputs(file, ColumnSettings(label_column="class")).class_names == ("b",)


def test_column_that_is_not_there(photos: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'labl' \(label_column\). Its columns are image, label") as error:
        load_table(write(photos, "image,label\n1.png,a\n"), ColumnSettings(label_column="labl"))
    assert "(data.label_column)" in error.value.for_command_line()
    assert "(--label-column)" in error.value.for_command_line(takes_settings=False)


def test_some_missing_files_stay_for_the_check_of_the_pictures(photos: Path) -> None:
    table = load_table(write(photos, "image,label\n1.png,a\nno.png,b\n"))
    assert [Path(path).is_file() for path in table.frame["path"]] == [True, False]


def test_no_file_there_at_all_is_a_wrong_root(photos: Path) -> None:
    with pytest.raises(
        DataError, match=r"none of its 2 pictures is there; .*x.png. Give .* image_root, and .* image_suffix"
    ):
        load_table(write(photos, "image,label\nx.png,a\ny.png,b\n"))


def test_empty_names_and_repeated_files(photos: Path) -> None:
    with pytest.raises(DataError, match=r"column 'image' is empty in the rows\n  2\n  3\n"):
        load_table(write(photos, "image,label\n1.png,a\n,b\n ,c\n"))
    with pytest.raises(DataError, match=r"the same file occurs more than once:\n  .*1.png: 2 times"):
        load_table(write(photos, "image,label\n1.png,a\n1.png,b\n"))
    with pytest.raises(DataError, match=r"the same file occurs more than once:\n  .*1.png: 2 times"):
        load_table(write(photos, "image,label\n1.png,a\n./1.png,b\n"))
    with pytest.raises(DataError, match="no rows"):
        load_table(write(photos, "image,label\n"))


def test_empty_file(photos: Path) -> None:
    with pytest.raises(DataError, match=r"labels.csv: empty; expected a line of column names"):
        load_table(write(photos, ""))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_files_that_begin_with_the_mark_of_their_encoding(photos: Path, encoding: str) -> None:
    (photos / "excel.csv").write_text("image\tlabel\n1.png\tcaf\xe9\n2.png\tb\n", encoding=encoding)
    assert load_table(photos / "excel.csv").class_names == ("b", "caf\xe9")


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("image,label\n1.png,caf\xe9\n".encode("cp1252"), "another encoding: save it as CSV UTF-8"),
        ("image,label\n1.png,caf\xe9\n".encode("utf-16-le"), "another encoding: save it as CSV UTF-8"),
        # It holds the time, which must not be in the name of a test: worker processes collect at other moments.
        pytest.param(gzip.compress(b"image,label\n1.png,a\n"), "compressed with gzip: unpack it first", id="gzip"),
        (b"PK\x03\x04\xff\x00", "a workbook or a zip archive: save the table as CSV UTF-8"),
    ],
)
def test_files_that_are_no_such_text(photos: Path, content: bytes, advice: str) -> None:
    (photos / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"bad.csv: not readable as CSV in UTF-8: .*{advice}"):
        load_table(photos / "bad.csv")
    (photos / "bad.gz").write_bytes(gzip.compress(content))
    with pytest.raises(DataError, match="compressed with gzip: unpack it first"):
        load_table(photos / "bad.gz")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'image,label\n"1.png,a\n'])
def test_unreadable_files(photos: Path, content: bytes) -> None:
    (photos / "bad.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"bad.csv: not readable as CSV"):
        load_table(photos / "bad.csv")


def test_frame_with_numbers_and_categories(photos: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2, 3], "label": [1.0, 2.0, None], "group": pd.Categorical(["x", "y", "x"])})
    table = load_table(frame, ColumnSettings(image_root=photos, group_column="group"))
    assert table.frame["id"].tolist() == ["1", "2", "3"]
    assert table.class_names == ("1", "2")
    assert table.frame["group"].tolist() == ["x", "y", "x"]


def test_frame_starts_from_the_working_folder(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    table = load_table(pd.DataFrame({"image": ["1.png", "2.png"], "label": [True, False]}))
    assert table.class_names == ("False", "True")


def test_labels_that_are_bytes_or_large_numbers(photos: Path) -> None:
    frame = pd.DataFrame({"image": ["1.png", "2.png"], "label": ["caf\xe9".encode(), b"a\xff"]})
    assert load_table(frame, ColumnSettings(image_root=photos)).class_names == ("a\\udcff", "caf\xe9")
    frame["label"] = [1e20, 2.0]
    assert load_table(frame, ColumnSettings(image_root=photos)).class_names == ("2", "100000000000000000000")


@pytest.mark.parametrize("cell", [["red"], ("red",), np.array([0, 1]), torch.tensor(1), {"red": 1}])
def test_cells_that_hold_several_labels_are_refused(photos: Path, cell: object) -> None:
    labels = pd.Series(["blue", cell], dtype="object")
    frame = pd.DataFrame({"image": ["1.png", "2.png"], "label": labels})
    message = f"no text or number, in 1 of 2 rows:\n  row 2: {type(cell).__name__}\nWrite one class into each cell"
    with pytest.raises(DataError, match=message):
        load_table(frame, ColumnSettings(image_root=photos))
    with pytest.raises(DataError, match=f"labels holds cells that are {message}"):
        load_table({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": labels})
