"""The walk that all commands share."""

import os
from pathlib import Path

import pytest

from data_pictures import MakeFolder, draw
from discern.data.reading.preflight import check_images
from discern.data.sources.load import load_inputs, load_table
from discern.data.sources.walk import Unused, sum_up, walk_folder
from discern.data.table import ImageTable
from discern.errors import DataError

posix = pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")


@posix
def test_links_are_followed_alike_by_training_and_prediction(make_folder: MakeFolder) -> None:
    elsewhere = make_folder({"bees": 3}, name="elsewhere")
    root = make_folder({"ants": 2})
    (root / "bees").symlink_to(elsewhere / "bees")
    (root / "ants" / "linked.png").symlink_to(elsewhere / "bees" / "1.png")
    expected = ["ants/1.png", "ants/2.png", "ants/linked.png", "bees/1.png", "bees/2.png", "bees/3.png"]
    assert load_table(root).frame["id"].tolist() == expected
    assert load_inputs([root]).frame["id"].tolist() == expected
    assert check_images(load_table(root)) == []


@posix
def test_loops_are_not_entered_and_named(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1})
    (root / "ants" / "up").symlink_to(root)
    (root / "bees" / "around").symlink_to(root.parent)
    (root / "bees" / "here").symlink_to(root / "bees")
    (root / "bees" / "itself").symlink_to("itself")
    for table in (load_table(root), load_inputs([root])):
        assert table.frame["id"].tolist() == ["ants/1.png", "bees/1.png"]
        assert "ants/up, bees/around, bees/here: a link to a folder that it lies in" in table.ignored


@posix
def test_many_folders_that_link_to_each_other_end(make_folder: MakeFolder) -> None:
    names = [f"f{number}" for number in range(9)]
    root = make_folder(dict.fromkeys(names, 1))
    for name in names:
        for other in set(names) - {name}:
            (root / name / other).symlink_to(root / other)
    found = walk_folder(root)
    assert len(found.pictures) < 200
    assert any(reason == "a link to a folder that was read 16 times already" for _, reason in found.unused)


@posix
@pytest.mark.parametrize("way", ["folder", "table", "csv", "glob", "file", "predict a folder"])
def test_a_pipe_with_the_name_of_a_picture_is_no_file(make_folder: MakeFolder, way: str) -> None:
    root = make_folder({"ants": 1, "bees": 1})
    os.mkfifo(root / "ants" / "pipe.jpg")
    (root / "list.csv").write_text("image,label\nants/pipe.jpg,ants\nbees/1.png,bees\n")
    tables = {
        "folder": lambda: load_table(root),
        "table": lambda: load_table(root / "list.csv"),
        "csv": lambda: load_inputs([root / "list.csv"]),
        "glob": lambda: load_inputs([str(root / "*" / "*.*")]),
        "file": lambda: load_inputs([root / "ants" / "pipe.jpg"]),
        "predict a folder": lambda: load_inputs([root]),
    }
    table: ImageTable = tables[way]()
    for verify in ("header", "full"):
        problems = check_images(table, verify=verify)  # type: ignore[arg-type]
        assert problems == [(str(root / "ants" / "pipe.jpg"), "a named pipe, not a file")]


@posix
def test_a_device_and_a_link_to_nowhere_are_bad_files(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1})
    (root / "ants" / "device.jpg").symlink_to("/dev/zero")
    (root / "ants" / "nowhere.jpg").symlink_to(root / "gone.jpg")
    problems = check_images(load_table(root))
    assert [reason for _, reason in problems] == ["a device, not a file", "no such file"]


def test_hidden_folders_and_pictures_are_named_and_other_hidden_files_are_not(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1, ".cache": 1})
    draw(0).save(root / "ants" / "._1.png")
    (root / "ants" / ".DS_Store").write_text("x")
    assert load_table(root).ignored == (".cache, ants/._1.png: hidden",)


def test_folders_that_systems_keep_are_no_classes(make_folder: MakeFolder) -> None:
    root = make_folder({"ants/@eaDir/1.png": 1, "ants": 1, "bees": 1, "@eaDir": 1, "lost+found": 1, "#recycle/bees": 1})
    for table in (load_table(root), load_inputs([root])):
        assert table.frame["id"].tolist() == ["ants/1.png", "bees/1.png"]
        assert table.ignored == ("#recycle, @eaDir, ants/@eaDir and 1 more: kept by the system, not by people",)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("a.tar", "of shards give the names, such as 'shards/"), ("a.zip", "unpack it, or give it alone")],
)
def test_what_is_packed_in_a_folder_is_named_with_a_way_on(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b"packed")
    for load in (load_table, load_inputs):
        with pytest.raises(DataError, match=rf"no pictures found\. Not used:\n  {name}: .*; {advice}"):
            load(tmp_path)


def test_folders_that_cannot_be_opened_are_named(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root, scandir = make_folder({"ants": 1, "bees": 1}), os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "bees":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert walk_folder(root).unused == [("bees", "cannot be opened: Permission denied")]


def test_clutter_is_summed_up_by_kind(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 1, "bees": 1})
    for number in range(30):
        (root / "ants" / f"{number}.xml").write_text("x")
    (root / "notes.txt").write_text("x")
    expected = (
        "ants/0.xml, ants/1.xml, ants/2.xml and 27 more: .xml is no supported type of picture",
        "notes.txt: .txt is no supported type of picture",
    )
    assert load_table(root).ignored == expected
    assert load_inputs([root]).ignored == expected


def test_kinds_beyond_ten_are_a_number() -> None:
    lines = sum_up([Unused(f"a.x{number}", f".x{number} is no type") for number in range(607)])
    assert len(lines) == 11
    assert lines[-1] == "597 more, of 597 other kinds"
    assert sum_up([Unused(f"a.x{number}", f"kind {number}") for number in range(11)])[-1] == "a.x10: kind 10"
