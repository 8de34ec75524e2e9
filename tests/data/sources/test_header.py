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
    return make_folder({"red": 1, "blue": 1})


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("red/1.png,a\nblue/1.png,b\n", "image,label\n  red/1.png,a"),
        ("a;red/1.png\nb;blue/1.png\n", "label,image\n  a,red/1.png"),
        ("red/1.PNG,a,train\n", "image,label,column 3\n  red/1.PNG,a,train"),
        ("red/1.png a\nblue/1.png b\n", "image,label\n  red/1.png,a"),
        ("red/1.png\nblue/1.png\n", "image,label\n  red/1.png,red"),
    ],
)
def test_a_missing_header_is_noticed_and_the_wanted_form_shown(photos: Path, text: str, form: str) -> None:
    (photos / "labels.csv").write_text(text)
    with pytest.raises(DataError, match=r"the first line, '.*', looks like a picture and not like names") as error:
        load_table(photos / "labels.csv")
    assert str(error.value).endswith(f"begins with\n  {form}")
    with pytest.raises(DataError, match="looks like a picture and not like names of columns"):
        load_inputs(photos / "labels.csv")


def test_a_missing_header_above_ids_is_noticed(photos: Path) -> None:
    (photos / "labels.csv").write_text("1,a\n2,b\n")
    with pytest.raises(DataError, match="the first line, '1,a', looks like a picture"):
        load_table(photos / "labels.csv", ColumnSettings(image_root=photos / "red"))


def test_a_header_that_names_a_picture_without_extension(photos: Path) -> None:
    (photos / "red" / "1.png").rename(photos / "red" / "1")
    frame = pd.DataFrame({"red/1": ["blue/1.png"], "a": ["b"]})
    with pytest.raises(DataError, match="looks like a picture and not like names of columns"):
        load_table(frame, ColumnSettings(image_root=photos))


@pytest.mark.parametrize("text", ["red/1.png a\n", "red/1.png,a\n", "red/1.png\ta\n"])
def test_a_text_list_under_another_name(photos: Path, text: str) -> None:
    (photos / "list.data").write_text(text)
    with pytest.raises(DataError, match=r" A list of pictures is read where its name ends in \.txt\.$"):
        load_table(photos / "list.data")


def test_labels_that_are_only_in_the_names(photos: Path) -> None:
    (photos / "labels.csv").write_text("image\nred/1.png\n")
    with pytest.raises(
        DataError, match=r"no column looks like the label. .* Write the labels, as in\n  image,label\n  red"
    ):
        load_table(photos / "labels.csv")
