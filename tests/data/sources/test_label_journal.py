"""The labels.csv of a labelling as a source of labelled pictures."""

import pytest

from discern.data.sources.load import ColumnSettings, load_inputs, load_table
from discern.errors import DataError


@pytest.fixture
def write(tmp_path):
    """Write rows of (picture, label, how), for pictures that exist."""

    def write_rows(*rows, end=""):
        for name, _, _ in rows:
            (tmp_path / name).touch()
        lines = [f"{name},{label},2026-01-01T00:00:00+00:00,{how}\n" for name, label, how in rows]
        path = tmp_path / "labels.csv"
        path.write_text("path,label,time,how\n" + "".join(lines) + end)
        return path

    return write_rows


def read(path):
    frame = load_table(path).frame
    return {row.id: (row.label, row.split) for row in frame.itertuples()}


def test_the_last_row_of_a_picture_holds_and_what_was_drawn_is_the_test_split(write):
    path = write(
        ("0.png", "ant", "asked"),
        ("1.png", "ant", "suggested"),
        ("0.png", "bee", "asked"),
        ("2.png", "bee", "confirmed"),
        ("3.png", "ant", "drawn"),
        ("4.png", "ant", "drawn copy"),
        ("5.png", "bee", "copy"),
    )
    assert read(path) == {
        "0.png": ("bee", "train"),
        "1.png": ("ant", "train"),
        "2.png": ("bee", "train"),
        "3.png": ("ant", "test"),
        "4.png": ("ant", "test"),
        "5.png": ("bee", "train"),
    }


def test_pictures_without_a_label_are_left_out(write):
    rows = [("0.png", "ant", "asked"), ("1.png", "bee", "asked"), ("1.png", "", "undone"), ("2.png", "", "skip")]
    rows += [("3.png", "", "none"), ("4.png", "", "unsure"), ("5.png", "ant", "asked"), ("5.png", "", "disagreed")]
    assert list(read(write(*rows))) == ["0.png"]


def test_a_class_that_was_only_drawn_is_trained_on(write):
    path = write(("0.png", "ant", "asked"), ("1.png", "moth", "drawn"), ("2.png", "ant", "drawn"))
    assert read(path) == {"0.png": ("ant", "train"), "1.png": ("moth", "train"), "2.png": ("ant", "test")}


def test_a_line_that_was_cut_off_does_not_count(write):
    assert list(read(write(("0.png", "ant", "asked"), ("1.png", "bee", "asked"), end="0.png,be"))) == ["0.png", "1.png"]


def test_without_a_label_there_is_nothing_to_train_on(write):
    with pytest.raises(DataError, match="no picture has a label yet"):
        load_table(write(("0.png", "", "skip")))


def test_a_table_of_other_columns_stays_as_it_is(tmp_path):
    (tmp_path / "0.png").touch()
    path = tmp_path / "table.csv"
    path.write_text("path,label,how\n0.png,ant,drawn\n")
    assert load_table(path).frame["split"].isna().all()


def test_labelled_pictures_can_be_predicted(write):
    table = load_inputs(str(write(("0.png", "ant", "asked"), ("1.png", "bee", "drawn"))))
    assert table.frame["label"].tolist() == ["ant", "bee"]


def test_the_split_can_be_left_unread(write):
    path = write(("0.png", "ant", "asked"), ("1.png", "bee", "asked"), ("2.png", "ant", "drawn"))
    assert load_table(path, ColumnSettings(split_column="none")).frame["split"].isna().all()
