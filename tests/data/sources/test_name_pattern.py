"""Labels in the names of pictures."""

from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder, draw
from discern.config.load import load_settings
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.load import load_table
from discern.data.sources.name_pattern import read_names
from discern.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("pattern", "name", "label"),
    [
        (r"(?P<label>.+)_\d+", "photos/Maine_Coon_12.jpg", "Maine_Coon"),
        (r"(?P<label>.+)_\d+", r"C:\photos\red_1.png", "red"),
        (r"(?P<label>[^/]+)/\d+", "images/apple_pie/100", "apple_pie"),
        (r"\d+\.(?P<label>[^/]+)/.+", "images/001.Albatross/Albatross_01.jpg", "Albatross"),
        (r"(?P<label>cat|dog).*", "cat.1.JPEG", "cat"),
        (r".*(?P<label>red|blue).*", "red/blue/1.png", "blue"),
        (r"(?P<label>.+)\.v\d", "red.v2", "red"),
    ],
)
def test_the_shortest_end_of_a_path_that_matches_counts(pattern: str, name: str, label: str) -> None:
    assert read_names([name], pattern, "the pictures") == {"label": [label]}


def test_a_group_in_the_names() -> None:
    found = read_names(["p7_cat_1.jpg", "p8_dog_1.jpg"], r"(?P<group>p\d+)_(?P<label>[a-z]+)_\d+", "the pictures")
    assert found == {"label": ["cat", "dog"], "group": ["p7", "p8"]}


def test_all_names_that_do_not_match_are_counted_and_some_named() -> None:
    names = ["red_1.jpg", *(f"IMG{number}.jpg" for number in range(12)), " _3.jpg"]
    with pytest.raises(DataError) as error:
        read_names(names, r"(?P<label>.+)_\d+", "the pictures")
    lines = str(error.value).splitlines()
    assert lines[0] == r"the pictures: 13 of 14 names do not match the pattern of labels (?P<label>.+)_\d+:"
    assert lines[1] == "  IMG0.jpg"
    assert lines[11] == "  ... and 3 more"


def test_a_folder_whose_files_are_named_by_class(make_folder: MakeFolder) -> None:
    folder = make_folder({"deep": 0})
    for number, name in enumerate(("red_1.png", "red_2.png", "deep/blue_1.png")):
        draw(number).save(folder / name)
    table = load_table(folder, ColumnSettings(label_pattern=r"(?P<label>.+)_\d+"))
    assert dict(zip(table.frame["id"], table.frame["label"], strict=True)) == {
        "red_1.png": "red",
        "red_2.png": "red",
        "deep/blue_1.png": "blue",
    }
    assert table.class_names == ("blue", "red")


def test_a_table_without_labels(make_folder: MakeFolder) -> None:
    folder = make_folder({"red": 1, "blue": 1})
    (folder / "list.txt").write_text("red/1 1 1\nblue/1 2 1\n")
    columns = ColumnSettings(label_pattern="(?P<label>[^/]+)/.+")
    assert load_table(folder / "list.txt", columns).frame["label"].tolist() == ["red", "blue"]
    frame = pd.DataFrame({"image": [str(folder / "red" / "1.png")], "label": ["no"]})
    assert load_table(frame, columns).frame["label"].tolist() == ["red"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("data.label_pattern=(.+", r"'\(\.\+' is no regular expression: missing \)"),
        ("data.label_pattern=(.+)_1", r"has no named groups; expected \(\?P<label>\.\.\.\), which is the label"),
        ("data.label_pattern=(?P<name>.+)", r"has name; expected \(\?P<label>"),
    ],
)
def test_patterns_that_find_no_label_are_refused(overrides: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings("auto", [overrides])


def test_one_thing_says_what_the_label_is() -> None:
    with pytest.raises(ConfigError, match="label_column and label_pattern both say what the label is"):
        load_settings("auto", ["data.label_column=a", "data.label_pattern=(?P<label>.+)"])


def test_a_missing_place_is_said_before_its_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        load_table(tmp_path / "nowhere", ColumnSettings(label_pattern="(?P<label>.+)"))
