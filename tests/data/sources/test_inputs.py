import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from data_pictures import MakeFolder, draw, write_run
from discern.data.reading.dataset import decode_row
from discern.data.sources.load import ColumnSettings, load_inputs, load_table
from discern.errors import DataError


def test_flat_and_nested_folders_in_natural_order(make_folder: MakeFolder) -> None:
    root = make_folder({".": 11, "deep/er": 1})
    (root / "notes.txt").write_text("x")
    table = load_inputs([root])
    assert table.frame["id"].tolist() == [f"{number}.png" for number in range(1, 12)] + ["deep/er/1.png"]
    assert table.ignored == ("notes.txt: .txt is no supported type of picture",)
    assert table.class_names == ()


def test_files_and_globs_keep_the_order_given(make_folder: MakeFolder) -> None:
    root = make_folder({".": 3})
    table = load_inputs([root / "3.png", str(root / "[12].png")])
    assert table.frame["id"].tolist() == ["3.png", "1.png", "2.png"]
    assert load_inputs(str(root / "**" / "*.png")).frame["id"].tolist() == ["1.png", "2.png", "3.png"]


def test_name_with_brackets_is_a_file_before_it_is_a_pattern(make_folder: MakeFolder) -> None:
    root = make_folder({".": 1})
    (root / "1.png").rename(root / "[a].png")
    assert load_inputs([root / "[a].png"]).frame["id"].tolist() == ["[a].png"]


def test_ids_that_meet_become_whole_paths(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 1, "b": 1, "c": 2})
    places = [root / "a" / "1.png", root / "b", root / "c" / "2.png"]
    ids = load_inputs(places).frame["id"].tolist()
    assert ids == [(root / "a" / "1.png").as_posix(), (root / "b" / "1.png").as_posix(), "2.png"]


def test_picture_given_twice_gives_two_rows(make_folder: MakeFolder) -> None:
    file = make_folder({".": 1}) / "1.png"
    table = load_inputs([file, file, file])
    assert table.frame["id"].tolist() == [file.as_posix(), f"{file.as_posix()}#2", f"{file.as_posix()}#3"]
    assert table.frame["path"].tolist() == [str(file)] * 3


def test_a_file_given_in_several_ways_has_one_row_where_each_is_wanted_once(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"fl/red": 1, "fl/rose": 2})
    monkeypatch.chdir(root)
    (root / "way").symlink_to(root / "fl")
    Path("rose.csv").write_text("image\nfl/rose/2.png\nfl/rose/1.png\n")
    caplog.set_level("INFO")

    def list_ids(*inputs: str) -> list[str]:
        return load_inputs(inputs, each_once=True).frame["id"].tolist()

    whole = ["red/1.png", "rose/1.png", "rose/2.png"]
    assert list_ids("fl") == whole
    assert not caplog.text
    assert list_ids("fl", "fl/rose") == whole
    assert "given more than once, and used once: 2 files" in caplog.text
    again = ("fl", "./fl/", str(root / "fl"), "fl/rose/../red", "way", "way/rose/2.png", "fl/**/*.png", "rose.csv")
    assert [list_ids("fl", one) for one in again] == [whole] * len(again)
    assert list_ids("fl/rose", "fl") == ["1.png", "2.png", "red/1.png"]
    assert list_ids("rose.csv", "fl") == ["fl/rose/2.png", "fl/rose/1.png", "red/1.png"]


def test_a_file_given_by_its_folder_and_in_a_table_is_known_by_the_table(make_folder: MakeFolder) -> None:
    root = make_folder({".": 2})
    (root / "new.csv").write_text("id,file_name,label\n007,2.png,bee\n")
    frame = load_inputs([root / "1.png", root / "2.png", root / "new.csv"], each_once=True).frame
    assert frame["id"].tolist() == ["1.png", "2.png"]
    assert frame["own_id"].fillna("").tolist() == ["", "007"]
    assert frame["label"].fillna("").tolist() == ["", "bee"]


def test_a_link_under_another_name_is_a_picture_of_its_own(make_folder: MakeFolder) -> None:
    root = make_folder({".": 1})
    (root / "newest.png").symlink_to(root / "1.png")
    assert load_inputs(root, each_once=True).frame["id"].tolist() == ["1.png", "newest.png"]


def test_packed_pictures_given_twice_are_used_once(make_folder: MakeFolder) -> None:
    root = make_folder({"red": 2})
    np.savez(root / "a.npz", images=np.zeros((2, 9, 9, 3), dtype=np.uint8))
    shutil.make_archive(str(root / "a"), "zip", root, "red")
    assert len(load_inputs([root / "a.npz", root / "red" / ".." / "a.npz"], each_once=True)) == 2
    assert len(load_inputs([root / "a.zip", root / "a.zip" / "red"], each_once=True)) == 2


def test_csv_with_and_without_labels(make_folder: MakeFolder) -> None:
    root = make_folder({".": 2})
    (root / "plain.csv").write_text("id,comment\n2,x\n1,y\n")
    (root / "labelled.csv").write_text("id,label\n2,bee\n1,ant\n")
    plain = load_inputs([root / "plain.csv"])
    assert plain.frame["id"].tolist() == ["2", "1"]
    assert plain.frame["label"].isna().all()
    labelled = load_inputs([root / "labelled.csv"])
    assert labelled.class_names == ("ant", "bee")
    assert labelled.targets().tolist() == [1, 0]


def test_frame_with_settings(make_folder: MakeFolder) -> None:
    root = make_folder({".": 2})
    settings = ColumnSettings(image_column="n", image_root=root, image_suffix=".png")
    table = load_inputs(pd.DataFrame({"n": [1, 2]}), settings)
    assert [Path(path).name for path in table.frame["path"]] == ["1.png", "2.png"]


def test_npz_without_labels_beside_files(make_folder: MakeFolder) -> None:
    root = make_folder({".": 1})
    images = np.arange(2 * 3 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3, 3)
    np.savez(root / "a.npz", images=images)
    table = load_inputs([root / "1.png", root / "a.npz", Image.fromarray(images[1])])
    assert table.frame["id"].tolist() == ["1.png", "0", "1", "2"]
    assert table.frame["array_index"].tolist() == [-1, 0, 1, 2]
    assert table.arrays is not None
    assert np.array_equal(table.arrays[2], images[1])


@pytest.mark.parametrize(
    ("shape", "pictures"),
    [
        ((5, 4, 4, 3), [(4, 4, 3)] * 5),
        ((6, 4, 3), [(6, 4, 3)]),
        ((6, 4, 4), [(6, 4, 3)]),
        ((6, 4, 1), [(6, 4, 3)]),
        ((1, 6, 4, 3), [(6, 4, 3)]),
        ((1, 6, 5), [(6, 5, 3)]),
        ((5, 8, 8), [(8, 8, 3)] * 5),
        ((8, 9), [(8, 9, 3)]),
        ((2, 8, 9, 1), [(8, 9, 3)] * 2),
        ((2, 3, 8, 9), [(8, 9, 3)] * 2),
    ],
)
def test_arrays_of_one_or_many(shape: tuple[int, ...], pictures: list[tuple[int, ...]]) -> None:
    table = load_inputs(np.full(shape, 7, dtype=np.uint8))
    assert table.arrays is not None
    assert [picture.shape for picture in table.arrays] == pictures


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (3, 28, 28),
            r"one picture with its channels first, or as 3 grey .* Say which: array.transpose\(1, 2, 0\) for",
        ),
        ((28, 28, 2), r"one picture of 2 channels, or as 28 grey pictures of 28 x 2. Say which: array\[..., :3\] for"),
        ((40, 3, 40), r"one picture of 3 channels in the middle, .* array.transpose\(0, 2, 1\) for the first"),
        (
            (9, 4800),
            r"9 flat pictures, or as one grey .* array.reshape\(-1, 40, 40, 3\) .* for the first, array\[None\]",
        ),
        ((60, 784), r"60 flat pictures, .* array.reshape\(-1, 28, 28\) for the first"),
        ((9, 9, 3, 4), r"The pictures lie along the last axis: array.transpose\(3, 0, 1, 2\)"),
        ((28,), r"an array of shape \(28,\); expected one picture \(H, W\)"),
        ((2, 9, 9, 7), r"an array of shape \(2, 9, 9, 7\)"),
    ],
)
def test_arrays_that_can_be_read_in_two_ways_are_not_guessed(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_inputs(np.zeros(shape, dtype=np.uint8))


def test_the_line_that_mends_an_array_mends_it() -> None:
    array = np.zeros((3, 28, 30), dtype=np.uint8)
    assert len(load_inputs(array.transpose(1, 2, 0))) == 1
    assert len(load_inputs(array[..., None])) == 3
    array = np.full((8, 8, 3), 0.5)
    assert load_inputs((array * 255).round().astype(np.uint8)).arrays[0][0, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize("shape", [(28, 28, 1), (3, 28, 28), (28, 28), (1, 28, 28), (28, 28, 4)])
def test_an_array_in_a_list_is_one_picture(shape: tuple[int, ...]) -> None:
    table = load_inputs([np.zeros(shape, dtype=np.uint8)] * 2)
    assert table.arrays is not None
    assert [picture.shape for picture in table.arrays] == [(28, 28, 3)] * 2


def test_channels_first_are_moved_and_not_reshaped() -> None:
    picture = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    table = load_inputs([picture.transpose(2, 0, 1)])
    assert table.arrays is not None
    assert np.array_equal(table.arrays[0], picture)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 9, 9, 3), np.uint8), "an element of a list is one picture, and this one .* np.concatenate"),
        (np.zeros((9, 9, 13), np.uint8), r"shape \(9, 9, 13\)"),
        (np.zeros((9, 9, 3)), r"array of float64 .* \(array \* 255\).round\(\).astype\(np.uint8\)$"),
        (np.zeros((9, 9, 3), bool), r"array.astype\(np.uint8\) \* 255"),
        (np.zeros((0, 9, 3), np.uint8), r"\(0, 9, 3\) holds no pixels"),
        (np.zeros(192, np.uint8), r"A flat picture: array.reshape\(-1, 8, 8, 3\)"),
    ],
)
def test_an_array_in_a_list_that_is_no_picture_is_refused(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_inputs([array])


def test_containers_are_read_by_their_elements(make_folder: MakeFolder) -> None:
    file = make_folder({".": 1}) / "1.png"
    for paths in (pd.Series([file]), np.array([str(file)]), np.array([file], dtype=object), (file,), iter([file])):
        assert load_inputs(paths).frame["id"].tolist() == ["1.png"]
    for other in ({"a": file}, 3, None, b"x" * 500, {file}):
        with pytest.raises(DataError, match=r"^Inputs of type \w+ are not understood; expected paths"):
            load_inputs(other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "line"),
    [
        (torch.zeros(3, 8, 8), r"tensor.numpy\(\)"),
        (b"png", r"PIL.Image.open\(io.BytesIO\(content\)\)"),
        (BytesIO(b"png"), r"PIL.Image.open\(file\)"),
        (memoryview(b"png"), r"np.asarray\(view\)"),
    ],
)
def test_what_is_nearly_a_picture_is_told_how_to_become_one(one: object, line: str) -> None:
    for given in (one, [one]):
        with pytest.raises(DataError, match=line):
            load_inputs(given)  # type: ignore[arg-type]


def test_pictures_in_the_cells_of_a_frame() -> None:
    pictures = [draw(1), np.asarray(draw(2, size=(9, 7)))]
    frame = pd.DataFrame({"photo of it": pd.Series(pictures, dtype=object), "label": ["a", "b"]})
    for table in (load_table(frame), load_inputs(frame)):
        assert table.frame["label"].tolist() == ["a", "b"]
        assert table.arrays is not None
        assert [picture.shape for picture in table.arrays] == [(20, 24, 3), (7, 9, 3)]
        assert np.array_equal(table.arrays[1], pictures[1])
    with pytest.raises(DataError, match=r"^the DataFrame: column 'image' holds bytes, list; expected names of files"):
        load_table(pd.DataFrame({"image": [b"x" * 900, [1] * 900], "label": ["a", "b"]}))


def test_deep_pictures_in_memory_are_kept_whole_and_a_small_range_is_said(caplog: pytest.LogCaptureFixture) -> None:
    deep = np.arange(64, dtype=np.uint16).reshape(1, 8, 8) * 4
    table = load_inputs(deep)
    assert np.asarray(decode_row(table, 0)).max() == 1
    assert "train with data.depth_range=[0,252]" in caplog.text
    scaled = load_inputs(deep, depth_range=(0, 252))
    assert np.asarray(decode_row(scaled, 0)).max() == 255
    caplog.clear()
    load_inputs(deep.astype(np.uint8))
    assert not caplog.text


def test_ids_of_the_tables_themselves_are_kept(make_folder: MakeFolder) -> None:
    root = make_folder({".": 2})
    (root / "new.csv").write_text("id,file_name\n268243,1.png\n007,2.png\n")
    assert load_inputs([root / "new.csv"]).frame["own_id"].tolist() == ["268243", "007"]


def test_pil_pictures_of_different_sizes() -> None:
    pictures = [draw(1, size=(9, 7)), draw(2, size=(5, 6)).convert("L")]
    table = load_inputs(pictures)
    assert table.frame["id"].tolist() == ["0", "1"]
    assert table.arrays is not None
    assert [picture.shape for picture in table.arrays] == [(7, 9, 3), (6, 5, 3)]


def test_all_missing_inputs_are_listed(make_folder: MakeFolder) -> None:
    root = make_folder({".": 1})
    with pytest.raises(DataError, match=r"no match, for\n  '.*no.png'\n  '.*\*.gif'\nCheck the spelling"):
        load_inputs([root / "no.png", root / "1.png", str(root / "*.gif")])


def test_links_that_lead_nowhere_are_bad_files_under_a_pattern_as_in_a_folder(make_folder: MakeFolder) -> None:
    root = make_folder({".": 1})
    (root / "gone.png").symlink_to(root / "nothing")
    (root / "self.png").symlink_to("self.png")
    for inputs in (root, str(root / "*.png"), str(root / "**" / "*.png")):
        assert load_inputs(inputs).frame["id"].tolist() == ["1.png", "gone.png", "self.png"]
    assert load_inputs(root / "gone.png").frame["id"].tolist() == ["gone.png"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", r"''\nA name is empty"),
        ("  ", r"A name is empty"),
        ("https://x.y/1.png", "not read from addresses. Download them"),
        (Path("https://x.y/1.png"), "not read from addresses. Download them"),
        ("s3://bucket/red", "not read from addresses"),
        ("file:///a%20b/1.png", "Give the path itself: /a b/1.png"),
    ],
)
def test_what_is_no_path_gets_its_own_advice(name: str | Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_inputs(name)


def test_the_home_folder_is_found_where_the_shell_left_its_sign(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"red": 2})
    monkeypatch.setenv("HOME", str(root))
    assert load_inputs("~/red").frame["id"].tolist() == ["1.png", "2.png"]
    assert len(load_inputs("~/red/*.png")) == 2
    with pytest.raises(DataError, match="Check the spelling"):
        load_inputs("~no_such_user/red")


def test_inputs_that_are_not_understood() -> None:
    with pytest.raises(DataError, match="Inputs of type dict, int are not understood; expected paths"):
        load_inputs([3, {}])  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["x" * 5000, "x/" * 900])
def test_a_text_that_is_no_path_is_refused_in_short(name: str) -> None:
    for load in (load_inputs, load_table):
        with pytest.raises(DataError, match=r"no (such )?file or folder") as caught:
            load(name)
        assert len(str(caught.value)) < 600


def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"no pictures found. Not used:\n  a.txt: .txt is no supported type"):
        load_inputs([tmp_path])
    with pytest.raises(DataError, match="no inputs were given; expected paths"):
        load_inputs([])


def test_folder_with_a_run_in_it(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"ants": 1, "runs/first": 0, "runs/first/plots": 2})
    write_run(root / "runs" / "first")
    table = load_inputs([root])
    assert table.frame["id"].tolist() == ["ants/1.png"]
    assert table.ignored == ("runs/first: belongs to a run of discern",)
    with pytest.raises(DataError, match=r"no pictures found. Not used:\n(.*\n)*  plots: belongs to a run of discern"):
        load_inputs([root / "runs" / "first"])
    assert len(load_inputs([root / "runs" / "first" / "plots"])) == 2


def test_partly_filled_split_column_is_of_no_concern_where_nothing_is_split(make_folder: MakeFolder) -> None:
    root = make_folder({".": 2})
    (root / "new.csv").write_text("image,split\n1.png,test\n2.png,\n")
    assert len(load_inputs([root / "new.csv"])) == 2
