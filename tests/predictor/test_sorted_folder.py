import pytest

from discern.errors import ConfigError
from discern.predictor import sorted_folder
from discern.predictor.sorted_folder import SortedFolder


@pytest.fixture
def pictures(tmp_path):
    """Pictures of two folders, two of which have one name and different content."""
    files = {"a/1.jpg": "one", "a/2.jpg": "two", "b/1.jpg": "six", "b/1_2.jpg": "four"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    return [(str(tmp_path / name), "red" if name != "a/2.jpg" else None) for name in files]


def sort(folder, pictures, link=None):
    SortedFolder(folder, ["red", "AC/DC"], link, with_unknown=True).add_all(pictures)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_each_picture_is_there_once_however_often_it_is_sorted(pictures, tmp_path, caplog, link):
    caplog.set_level("INFO", logger="discern")
    once = sort(tmp_path / "out", pictures, link)
    assert once == {
        "red/1.jpg": "one", "red/1_2.jpg": "six", "unknown/2.jpg": "two", "red/1_2_2.jpg": "four",
    }  # fmt: skip
    times = {path: path.lstat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    assert sort(tmp_path / "out", pictures, link) == once
    assert {path: path.lstat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == times
    verb = "copied" if link is None else "linked"
    assert f"4 pictures {verb} into the folders of {tmp_path / 'out'}" in caplog.text
    assert f"0 pictures {verb} into the folders of {tmp_path / 'out'}; 4 more were there already" in caplog.text
    first = tmp_path / "out" / "red" / "1.jpg"
    assert first.samefile(pictures[0][0]) is (link is not None)
    assert first.is_symlink() is (link == "symbolic")


def test_what_lies_in_the_folder_is_never_replaced(pictures, tmp_path):
    folder = tmp_path / "out" / "red"
    folder.mkdir(parents=True)
    (folder / "1.JPG").write_text("mine")
    (folder / "1_2.jpg").symlink_to("nowhere")
    sorted_files = sort(tmp_path / "out", pictures)
    assert sorted_files["red/1.JPG"] == "mine"
    assert (folder / "1_2.jpg").is_symlink()
    assert sorted(sorted_files.values()) == ["four", "mine", "one", "six", "two"]
    assert "red/1_3.jpg" in sorted_files


def test_a_file_that_comes_meanwhile_is_not_replaced(pictures, tmp_path, monkeypatch):
    put = sorted_folder._put

    def put_late(path, target, link):
        if not (tmp_path / "out" / "red" / "1.jpg").exists():
            (tmp_path / "out" / "red" / "1.jpg").write_text("mine")
        put(path, target, link)

    monkeypatch.setattr(sorted_folder, "_put", put_late)
    sorted_files = sort(tmp_path / "out", pictures[:1])
    assert sorted_files == {"red/1.jpg": "mine", "red/1_2.jpg": "one"}


def test_a_class_that_is_no_name_of_a_folder_and_a_picture_that_is_gone(pictures, tmp_path, caplog):
    sorted_files = sort(tmp_path / "out", [(pictures[0][0], "AC/DC"), (str(tmp_path / "gone.jpg"), "red")])
    assert list(sorted_files) == ["AC%2FDC/1.jpg"]
    assert f"not sorted, since their files are gone: {tmp_path / 'gone.jpg'}" in caplog.text


def test_hard_links_to_another_disk_say_what_to_do(pictures, tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    with pytest.raises(ConfigError, match=r'lies on another one than .*out; give link="symbolic", or leave it out'):
        sort(tmp_path / "out", pictures, "hard")
    assert sort(tmp_path / "out", pictures)["red/1.jpg"] == "one"  # copies need no hard links
