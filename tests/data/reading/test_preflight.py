import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from data_pictures import MakeFolder
from discern.data.reading.preflight import Verify, check_images, drop_images, save_bad_files
from discern.data.sources.load import ColumnSettings, load_table
from discern.data.splitting.split import apply_split, save_split, split_table
from discern.data.table import ImageTable
from discern.errors import ImageProblem


@pytest.fixture
def spoilt(make_folder: MakeFolder) -> ImageTable:
    """Six pictures of which one is empty, one a text, one cut in half and one gone."""
    root = make_folder({"ants": 3, "bees": 3})
    table = load_table(root)
    (root / "ants" / "1.png").write_bytes(b"")
    (root / "ants" / "3.png").write_text("404, not found")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "bees" / "2.png")
    half = (root / "bees" / "2.png").read_bytes()[:6000]
    (root / "bees" / "2.png").write_bytes(half)
    (root / "bees" / "3.png").unlink()
    return table


@pytest.mark.parametrize(
    ("verify", "expected"),
    [("header", ["ants/1", "ants/3", "bees/3"]), ("full", ["ants/1", "ants/3", "bees/2", "bees/3"])],
)
def test_all_bad_files_are_found_in_order(spoilt: ImageTable, verify: Verify, expected: list[str]) -> None:
    problems = check_images(spoilt, verify=verify)
    assert [Path(problem.path).parent.name + "/" + Path(problem.path).stem for problem in problems] == expected
    assert problems[-1].reason == "no such file"
    assert problems == check_images(spoilt, verify=verify, threads=1)


@pytest.mark.parametrize("verify", ["header", "full"])
@pytest.mark.parametrize("listed", [False, True])
def test_file_name_that_is_not_utf8(make_folder: MakeFolder, tmp_path: Path, verify: Verify, listed: bool) -> None:
    root = make_folder({"ants": 4, "bees": 4})
    try:
        (root / "ants" / "1.png").rename(root / "ants" / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    names = [os.fsdecode(os.path.relpath(path, root)) for path in root.rglob("*.png")]
    frame = pd.DataFrame({"image": names, "label": [Path(name).parent.name for name in names]}, dtype="object")
    table = load_table(frame, ColumnSettings(image_root=root)) if listed else load_table(root)
    problems = check_images(table, verify=verify)
    assert problems == [(f"{root}/ants/caf\\udce9.png", "the file name is not valid UTF-8; rename it")]
    save_bad_files(problems, tmp_path / "bad_files.csv")
    save_split(table, tmp_path / "whole.csv")
    kept = drop_images(table, problems)
    assert len(kept) == 7
    split, _ = split_table(kept, fractions=(0.7, 0.15, 0.15), seed=0)
    save_split(split, tmp_path / "split.csv")
    assert apply_split(kept, tmp_path / "split.csv").class_names == ("ants", "bees")


def test_too_large_by_the_limit(make_folder: MakeFolder) -> None:
    table = load_table(make_folder({"ants": 1, "bees": 1}))
    problems = check_images(table, max_pixels=100)
    assert [problem.reason for problem in problems] == [
        "24 x 20 is more than the limit of 100 pixels (data.max_pixels)"
    ] * 2
    assert check_images(table) == []


def test_dropping_keeps_the_rest_and_the_classes(spoilt: ImageTable) -> None:
    kept = drop_images(spoilt, check_images(spoilt, verify="full"))
    assert kept.frame["id"].tolist() == ["ants/2.png", "bees/1.png"]
    assert kept.class_names == spoilt.class_names
    assert len(drop_images(spoilt, [])) == 6


def test_bad_files_are_written_as_csv(tmp_path: Path) -> None:
    problems = [ImageProblem("a,b.jpg", "no such file"), ImageProblem("c.jpg", 'not a "picture"')]
    save_bad_files(problems, tmp_path / "bad_files.csv")
    assert (tmp_path / "bad_files.csv").read_text() == (
        'path,reason\n"a,b.jpg",no such file\nc.jpg,"not a ""picture"""\n'
    )


def test_arrays_need_no_check() -> None:
    table = load_table((np.zeros((2, 4, 4, 3), dtype=np.uint8), ["a", "b"]))
    assert check_images(table, verify="full") == []


def test_damaged_metadata_is_no_problem(shared_data: Path) -> None:
    paths = sorted(str(path) for path in (shared_data / "invalid_images").glob("*.jpg"))
    table = load_table((np.zeros((7, 4, 4, 3), dtype=np.uint8), ["a"] * 7))
    table.frame["path"] = paths
    assert check_images(table, verify="full", threads=4) == []
    assert check_images(table, verify="header", threads=4) == []
