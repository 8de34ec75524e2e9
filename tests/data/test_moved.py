"""Pictures of a run that are not any more where they were at its training."""

from pathlib import Path

import pytest

from discern.data.moved import check_found, find_pictures
from discern.errors import DataError


def make_files(root: Path, *names: str) -> list[str]:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return [str(root / name) for name in names]


def test_they_are_found_in_the_same_place_below_the_folder_that_is_given(tmp_path: Path) -> None:
    (kept,) = make_files(tmp_path / "old", "red/1.png")
    moved = make_files(tmp_path / "new", "red/1.png", "red/2.png", "blue/1.png", "2.png")
    paths = ["red/1.png", "red/2.png", "blue/1.png", "gone/2.png", ""]
    gone = str(tmp_path / "old" / "gone" / "2.png")
    for data in (tmp_path / "new", str(tmp_path / "new" / "labels.csv")):
        assert find_pictures(paths, tmp_path / "old", data) == [kept, moved[1], moved[2], gone, ""]
    assert find_pictures(paths, tmp_path / "old", None)[1] == str(tmp_path / "old" / "red" / "2.png")


def test_without_a_known_root_they_start_from_the_folder_that_had_them_all(tmp_path: Path) -> None:
    moved = make_files(tmp_path / "new", "red/1.png", "blue/1.png")
    paths = ["/far/away/red/1.png", "/far/away/blue/1.png"]
    assert find_pictures(paths, Path(), tmp_path / "new") == moved


def test_a_folder_without_any_of_them_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    paths = find_pictures(["red/1.png", ""], tmp_path / "old", tmp_path)
    check_found(paths, None)
    check_found([""], tmp_path)
    with pytest.raises(
        DataError, match=r"none of the 1 pictures is in .*, nor .* such as .*old/red/1\.png\. Give .*data="
    ):
        check_found(paths, tmp_path)
