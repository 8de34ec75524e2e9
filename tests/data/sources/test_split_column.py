import logging
from pathlib import Path

import pandas as pd
import pytest

from data_pictures import MakeFolder
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.load import load_table
from discern.errors import DataError


@pytest.fixture
def photos(make_folder: MakeFolder) -> Path:
    """photos/1.png .. photos/4.png"""
    return make_folder({".": 4})


def write(folder: Path, header: str, *cells: str, name: str = "labels.csv") -> Path:
    """One row a picture, with the label a or b in turn."""
    rows = [f"{place}.png,{'ab'[place % 2]},{cell}" for place, cell in enumerate(cells, start=1)]
    text = "\n".join([f"image,label,{header}", *rows])
    (folder / name).write_text(text.replace(",", "\t") if name.endswith(".tsv") else text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    ("header", "cells", "splits"),
    [
        ("split", ("train", "dev", "Test"), ["train", "validation", "test"]),
        ("data set", ("train", "test"), ["train", "test"]),
        ("anything", ("Training", " valid", "hold-out"), ["train", "validation", "test"]),
        ("Usage", ("Training", "PublicTest", "PrivateTest"), ["train", "validation", "test"]),
        ("phase", ("train2017", "val2017"), ["train", "validation"]),
        ("fold", ("training_set", "Test Set"), ["train", "test"]),
        ("subset", ("test", "test"), ["test", "test"]),
        ("is_valid", ("False", "True"), ["train", "validation"]),
        ("is_test", ("0", "1"), ["train", "test"]),
        ("is_training_image", ("1", "0"), ["train", "test"]),
        ("train,is_val", ("1,0", "0,1", "0,0"), ["train", "validation", "test"]),
        ("is_valid,is_test", ("0,0", "1,0", "0,1", "0,0"), ["train", "validation", "test", "train"]),
        ("split,is_test", ("train,no", "test,yes"), ["train", "test"]),
        ("part", ("tr", "va", "TE"), ["train", "validation", "test"]),
        ("is_held_out", ("0", "1"), ["train", "test"]),
        ("is_holdout", ("-1", "1"), ["train", "test"]),
        ("held-out", ("0", "-1"), ["train", "test"]),
        ("origin", ("train.csv", "old/test.csv"), ["train", "test"]),
    ],
)
def test_column_is_found_by_what_it_holds(
    photos: Path, header: str, cells: tuple[str, ...], splits: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "discern")
    for name in ("labels.csv", "labels.tsv"):
        assert load_table(write(photos, header, *cells, name=name)).frame["split"].tolist() == splits
    assert f"the split is that of column {header.split(',')[0]!r}" in caplog.text


@pytest.mark.parametrize("flags", [[True, False], [1, 0], [1.0, 0.0], pd.Series([True, False], dtype="boolean")])
def test_frame_with_flags(photos: Path, flags: object) -> None:
    frame = pd.DataFrame({"filepaths": ["1.png", "2.png"], "labels": ["a", "b"], "is_test": flags})
    assert load_table(frame, ColumnSettings(image_root=photos)).frame["split"].tolist() == ["test", "train"]


@pytest.mark.parametrize(
    ("header", "cells", "said"),
    [
        ("partition", ("0", "1", "2"), "'partition' holds '0', '1', '2', which may stand for train, validation, test"),
        ("data set", ("0", "1"), "'data set' holds '0', '1', which may stand for train, validation"),
        ("train/test", ("0", "1"), "'train/test' holds '0', '1', which may stand for train, test"),
        ("tr_te", ("0", "1"), "'tr_te' holds '0', '1', which may stand for train, test"),
        ("kind", ("test", "test"), "'kind' holds 'test'"),
        ("mode", ("train", "query", "gallery"), "'mode' holds 'gallery', 'query', 'train'"),
        ("from", ("coco_train", "coco_val"), "'from' holds 'coco_train', 'coco_val'"),
        ("valid", ("1", "0"), "'valid' is true for 1 of 2 pictures and may mean validation or that a row is in order"),
        ("is_valid", ("1", "1", "0"), "'is_valid' is true for 2 of 3 pictures"),
    ],
)
def test_a_doubtful_column_is_named_and_not_used(
    photos: Path, header: str, cells: tuple[str, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = load_table(write(photos, header, *cells))
    assert table.frame["split"].isna().all()
    assert said in caplog.text
    assert f'set split_column="{header}", otherwise none' in caplog.text
    settings = ColumnSettings(split_column=header)
    assert load_table(write(photos, header, *cells), settings).frame["split"].notna().all()


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("split", ("left", "right")),
        ("cv_fold", ("0", "1", "2", "3")),
        ("is_query", ("0", "1")),
        ("kind", ("train", "", "", "train")),
        ("kind", ("train", "test", "spare")),
    ],
)
def test_a_column_that_no_setting_makes_a_split_is_to_be_rewritten(
    photos: Path, header: str, cells: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    assert load_table(write(photos, header, *cells)).frame["split"].isna().all()
    assert f"column {header!r} holds" in caplog.text
    assert 'write train, validation or test in its cells, otherwise set split_column="none"' in caplog.text


@pytest.mark.parametrize(
    ("header", "cells"), [("folder", ("a", "b")), ("strain", ("0", "1")), ("value", ("0", "1")), ("rank", ("tr", "hi"))]
)
def test_a_column_of_other_things_is_not_spoken_of(
    photos: Path, header: str, cells: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    assert load_table(write(photos, header, *cells)).frame["split"].isna().all()
    assert not caplog.text


def test_codes_mean_what_the_name_of_the_column_says(photos: Path) -> None:
    table = load_table(write(photos, "train_test", "0", "1"), ColumnSettings(split_column="train_test"))
    assert table.frame["split"].tolist() == ["train", "test"]


def test_what_is_doubtful_is_settled_by_the_setting(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(photos, "partition", "0", "1", "2")
    table = load_table(path, ColumnSettings(split_column="partition"))
    assert table.frame["split"].tolist() == ["train", "validation", "test"]
    assert load_table(path, ColumnSettings(split_column="none")).frame["split"].isna().all()
    assert not caplog.text
    known = write(photos, "split", "train", "test")
    assert load_table(known, ColumnSettings(split_column="none")).frame["split"].isna().all()


def test_cells_that_are_no_split_are_listed(photos: Path) -> None:
    path = write(photos, "split", "train", "", "spare", "test")
    message = (
        r"column 'split' holds something else than train, validation or test for 2 of 4 pictures:\n"
        r"  2.png: ''\n  3.png: 'spare'\nCorrect these cells; if the column is no split, set split_column=\"none\""
    )
    for settings in (ColumnSettings(), ColumnSettings(split_column="split")):
        with pytest.raises(DataError, match=message):
            load_table(path, settings)
    with pytest.raises(DataError, match=r"for 1 of 3 pictures:\n  2.png: ''"):
        load_table(write(photos, "data set", "train", "", "validation"))
    left = write(photos, "split", "left")
    with pytest.raises(DataError, match=r"for 1 of 1 pictures:\n  1.png: 'left'"):
        load_table(left, ColumnSettings(split_column="split"))


@pytest.mark.parametrize(
    ("header", "cells"),
    [("split,set", ("train,train", "test,train")), ("split,is_test", ("train,0", "test,0")), ("train,test", ("1,1",))],
)
def test_columns_that_contradict_each_other_are_refused(photos: Path, header: str, cells: tuple[str, ...]) -> None:
    path = write(photos, header, *cells)
    with pytest.raises(DataError, match=r"(?s)each be the split, but say different things of 1 of .*Set split_column="):
        load_table(path)
    first = header.split(",")[0]
    assert load_table(path, ColumnSettings(split_column=first)).frame["split"].notna().all()


def test_label_that_has_such_words_stays_the_label(photos: Path) -> None:
    (photos / "labels.csv").write_text("image,label\n1.png,train\n2.png,test\n")
    table = load_table(photos / "labels.csv")
    assert table.class_names == ("test", "train")
    assert table.frame["split"].isna().all()


def test_column_of_splits_is_not_taken_for_the_label(photos: Path) -> None:
    (photos / "labels.csv").write_text("image,rank,set\n1.png,a,train\n2.png,b,test\n")
    assert load_table(photos / "labels.csv").class_names == ("a", "b")
    (photos / "labels.csv").write_text("image,class,target\n1.png,a,train\n2.png,b,test\n")
    assert load_table(photos / "labels.csv").class_names == ("a", "b")


def test_folders_that_say_the_split_are_warned_of(make_folder: MakeFolder, caplog: pytest.LogCaptureFixture) -> None:
    root = make_folder({"train/ant": 1, "test/bee": 1})
    frame = pd.DataFrame({"image": ["train/ant/1.png", "test/bee/1.png"], "label": ["a", "b"]})
    assert load_table(frame, ColumnSettings(image_root=root)).frame["split"].isna().all()
    assert "the pictures lie in folders test, train, but no column says the split" in caplog.text
