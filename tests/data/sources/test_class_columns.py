"""Tables with one column a class."""

from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError


@pytest.fixture
def photos(make_folder: MakeFolder) -> Path:
    return make_folder({"a": 4})


def write(photos: Path, header: str, rows: list[str]) -> Path:
    lines = [f"a/{number},{row}" for number, row in enumerate(rows, start=1)]
    (photos / "labels.csv").write_text("\n".join([f"image,{header}", *lines]))
    return photos / "labels.csv"


@pytest.mark.parametrize(
    "rows",
    [
        ["1,0,0", "0,1,0", "0,0,1", "1,0,0"],
        ["1.0,0.0,0.0", "0.0,1.0,0.0", "0.0,0.0,1.0", "1.0,0.0,0.0"],
        ["True,False,False", "False,True,False", "False,False,True", "True,False,False"],
    ],
)
def test_the_column_with_one_is_the_label(photos: Path, rows: list[str]) -> None:
    table = load_table(write(photos, "MEL,NV,BCC", rows))
    assert table.frame["label"].tolist() == ["MEL", "NV", "BCC", "MEL"]
    frame = pd.read_csv(photos / "labels.csv").assign(image=lambda cells: str(photos) + "/" + cells["image"])
    assert load_table(frame).frame["label"].tolist() == ["MEL", "NV", "BCC", "MEL"]


def test_other_columns_and_a_split_beside_them(photos: Path) -> None:
    rows = ["31,train,1,0", "32,train,0,1", "7,test,1,0", "9,test,0,1"]
    table = load_table(write(photos, "age,split,yes,no", rows))
    assert table.frame["label"].tolist() == ["yes", "no", "yes", "no"]
    assert table.frame["split"].tolist() == ["train", "train", "test", "test"]


def test_several_classes_of_a_picture_are_refused_with_the_step_to_take(photos: Path) -> None:
    file = write(photos, "sun,rain,snow", ["1,0,0", "0,1,1", "0,0,0", "1,1,1"])
    with pytest.raises(DataError) as error:
        load_table(file)
    assert str(error.value).splitlines() == [
        f"{file}: the columns sun, rain, snow look like one for each class, but of 4 rows 2 have 1 in several of them "
        "and 1 in none:",
        "  row 2: rain, snow",
        "  row 3: none",
        "  row 4: sun, rain, snow",
        "A picture has one class here. Leave out the rows with several, and add a column such as other for those with "
        'none; or name one of these columns, to tell its 0 from its 1: label_column="NAME".',
    ]
    assert load_table(file, ColumnSettings(label_column="rain")).class_names == ("0", "1")
    assert len(load_inputs(file)) == 4


def test_a_named_label_goes_first(photos: Path) -> None:
    table = load_table(write(photos, "label,a,b", ["x,1,0", "y,0,1", "x,1,0", "y,0,1"]))
    assert table.class_names == ("x", "y")


def test_flags_beside_other_columns_that_are_no_classes(photos: Path) -> None:
    with pytest.raises(DataError, match="no column looks like the label"):
        load_table(write(photos, "age,male,seen", ["31,1,1", "32,0,1", "33,0,0", "34,1,0"]))
