import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch.utils.data import Dataset

from data_pictures import MakeFolder, draw
from discern.config.sections.data import DataSettings
from discern.data.missing_labels import is_missing
from discern.data.prepare import load_fixed
from discern.data.sources.load import Source
from discern.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
Build = Callable[[Path], Source]


class Items(Dataset):
    def __init__(self, labels: list[object]) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple:
        return draw(index), self.labels[index]


def write_table(text: str) -> Build:
    def build(photos: Path) -> Path:
        (photos / "labels.csv").write_text("image,label\n" + text)
        return photos / "labels.csv"

    return build


def frame_of(labels: list[object]) -> Build:
    return lambda photos: pd.DataFrame({"image": [str(photos / f"{n}.png") for n in (1, 2, 3)], "label": labels})


def arrays_of(labels: object, **more: object) -> Build:
    return lambda photos: {"images": PIXELS, "labels": labels, **more}


SOURCES = {
    "empty cell": write_table("1.png,a\n2.png,\n3.png,b\n"),
    "blank cell": write_table("1.png,a\n2.png,  \n3.png,b\n"),
    "nan in a file": write_table("1.png,a\n2.png,nan\n3.png,b\n"),
    "NA of pandas in a file": write_table("1.png,a\n2.png,<NA>\n3.png,b\n"),
    "frame None": frame_of(["a", None, "b"]),
    "frame NaN": frame_of(["a", np.nan, "b"]),
    "frame pd.NA": frame_of(["a", pd.NA, "b"]),
    "frame text": frame_of(["a", "nan", "b"]),
    "frame numbers": frame_of([1.0, np.nan, 2.0]),
    "frame NaT": frame_of(["a", pd.NaT, "b"]),
    "array of text": arrays_of(np.array(["a", np.nan, "b"])),
    "array of objects": arrays_of(np.array(["a", None, "b"], dtype=object)),
    "array of bytes": arrays_of(np.array([b"a", b"", b"b"])),
    "array of numbers": arrays_of(np.array([0, np.nan, 1])),
    "numbers with names": arrays_of(np.array([0, np.nan, 1]), class_names=["a", "b"]),
    "text with names": arrays_of(np.array(["a", "", "b"]), class_names=["a", "b"]),
    "masked": arrays_of(np.ma.masked_array([1, 2, 3], mask=[False, True, False])),
    "series": arrays_of(pd.Series([1, None, 2], dtype="Int64")),
    "categories": arrays_of(pd.Categorical(["a", None, "b"])),
    "list": arrays_of(["a", None, "b"]),
    "dataset None": lambda photos: Items(["a", None, "b"]),
    "dataset NaN": lambda photos: Items([0, float("nan"), 1]),
}


@pytest.fixture
def photos(make_folder: MakeFolder) -> Path:
    return make_folder({".": 3})


@pytest.mark.parametrize("build", SOURCES.values(), ids=SOURCES)
def test_missing_labels_are_refused_with_rows_or_dropped(
    photos: Path, build: Build, caplog: pytest.LogCaptureFixture
) -> None:
    source = build(photos)
    with pytest.raises(
        DataError, match=r"1 of 3 pictures have no label:\n  row 2: .*\n.* with missing_labels=.drop.\."
    ):
        load_fixed(source, DataSettings())
    kept = load_fixed(source, DataSettings(missing_labels="drop"))
    assert len(kept.table) == 2
    assert len(kept.table.class_names) == 2
    assert "nan" not in {name.casefold() for name in kept.table.class_names}
    assert len(kept.dropped) == 1
    assert "left out: 1 of 3 pictures have no label" in caplog.text


def test_no_label_at_all_has_no_way_around(photos: Path) -> None:
    source = frame_of([None, None, None])(photos)
    with pytest.raises(DataError, match=r"3 of 3 pictures have no label:\n(  row .*\n){3}Label them\.$"):
        load_fixed(source, DataSettings(missing_labels="drop"))


def test_a_fix_may_give_the_label(photos: Path) -> None:
    fixes = photos / "fixes.csv"
    fixes.write_text("path,action,value\n2.png,relabel,b\n")
    table = load_fixed(SOURCES["empty cell"](photos), DataSettings(fixes=(fixes,))).table
    assert table.frame["label"].tolist() == ["a", "b", "b"]


def test_words_that_may_be_a_class_are_kept_and_named(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "discern")
    table = load_fixed(write_table("1.png,NA\n2.png,none\n3.png,None\n")(photos), DataSettings()).table
    assert table.class_names == ("NA", "None", "none")
    named = "'NA' (1 picture), 'None' (1 picture), 'none' (1 picture)"
    assert (
        f"taken for a class: {named}. Where that stands for no label, empty their cells or leave these pictures out"
        in caplog.text
    )


@pytest.mark.parametrize("build", [write_table("1.png,nan\n2.png,\n3.png,b\n"), frame_of(["nan", np.nan, "b"])])
def test_a_class_that_is_called_nan_is_kept_by_the_setting(photos: Path, build: Build) -> None:
    source = build(photos)
    with pytest.raises(DataError, match=r"2 of 3 pictures have no label(.|\n)*missing_labels=.keep.: only"):
        load_fixed(source, DataSettings())
    with pytest.raises(DataError, match="1 of 3 pictures have no label:\n  row 2: "):
        load_fixed(source, DataSettings(missing_labels="keep"))
    fixed = photos / "fixes.csv"
    fixed.write_text("path,action,value\n2.png,drop,\n")
    if isinstance(source, Path):
        table = load_fixed(source, DataSettings(missing_labels="keep", fixes=(fixed,))).table
        assert table.class_names == ("b", "nan")


def test_what_is_missing() -> None:
    assert all(map(is_missing, (None, np.nan, float("nan"), pd.NA, pd.NaT, "", " ", "NaN", np.float32("nan"))))
    assert not any(map(is_missing, ("None", "na", "Nan bread", 0, False, [], [None], np.array([np.nan, 1]))))
