"""What must not be paid for each row again; numbers of calls and of rows, no times."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discern.data.sources import csv_file
from discern.data.sources.load import ColumnSettings, load_table
from discern.data.splitting import split
from discern.data.splitting.split import apply_split, save_split, split_table
from discern.data.table import ImageTable, build_table, join_all

DEFAULT = (0.7, 0.15, 0.15)


def large_table(rows: int, *, groups: int = 0) -> ImageTable:
    columns: dict[str, list[str | None]] = {
        "id": [f"img_{row:07d}.jpg" for row in range(rows)],
        "label": [f"class {row % 100}" for row in range(rows)],
        "group": [f"patient {row % groups}" if groups else None for row in range(rows)],
    }
    return build_table(columns, source="here")


def test_every_class_of_a_large_table_is_divided_by_the_fractions() -> None:
    table, remarks = split_table(large_table(200_000), fractions=DEFAULT, seed=0)
    assert remarks == ()
    counts = table.frame.groupby("label")["split"].value_counts().unstack()
    assert (counts[["train", "validation", "test"]] == [1400, 300, 300]).all(axis=None)
    assert [len(table.select(name)) for name in ("train", "validation", "test")] == [140_000, 30_000, 30_000]


def test_many_groups_and_classes_are_not_multiplied() -> None:
    groups, classes = 10_000, 5_000
    names = [f"class {group % classes}" for group in range(groups)]
    columns = {"label": names * 2, "group": [str(group) for group in range(groups)] * 2}
    frame = {"id": [str(row) for row in range(2 * groups)], **columns}
    table, _ = split_table(build_table(frame, source="here"), fractions=(0.5, 0.5, 0.0), seed=0)
    assert (table.frame.groupby("group")["split"].nunique() == 1).all()
    assert Counter(table.frame["split"]) == {"train": groups, "validation": groups}


def test_names_of_splits_are_understood_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def parse_split(name: str) -> str:
        asked.append(name)
        return name

    monkeypatch.setattr(split, "parse_split", parse_split)
    table, _ = split_table(large_table(3_000, groups=400), fractions=DEFAULT, seed=0)
    save_split(table, tmp_path / "split.csv")
    assert apply_split(table, tmp_path / "split.csv").frame["split"].equals(table.frame["split"])
    assert len(asked) <= 6


def test_a_folder_is_listed_once_for_names_without_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Counter[str]()

    def scandir(folder: str | Path) -> object:
        listed[str(folder)] += 1
        return scan(folder)

    scan = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    names = [f"img_{row}" for row in range(300)]
    for name in names:
        (tmp_path / f"{name}.jpg").touch()
    table = load_table(pd.DataFrame({"image": names, "label": "a"}), ColumnSettings(image_root=tmp_path))
    assert table.frame["path"].tolist() == [str(tmp_path / f"{name}.jpg") for name in names]
    assert listed == {str(tmp_path): 1}


def test_equal_cells_of_a_file_share_their_memory(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,note,label\n" + "".join(f"{row}.jpg,x,class {row % 10}\n" for row in range(5_000)))
    cells = csv_file.read_cells(path, only=("image", "label"))
    assert list(cells.columns) == ["image", "label"]
    assert len(set(map(id, cells["label"]))) <= 20
    assert cells["label"].tolist() == [f"class {row % 10}" for row in range(5_000)]


@pytest.mark.parametrize("root", [Path(), Path("photos"), Path("/photos"), Path("/"), Path("..")])
def test_paths_are_those_that_pathlib_makes(root: Path) -> None:
    names = [
        "a.jpg",
        "./a.jpg",
        "b/a.jpg",
        "b//a.jpg",
        "b/./a.jpg",
        "../a.jpg",
        "/b/a.jpg",
        "b/",
        "b/.",
        ".",
        "b/..",
        "",
    ]
    assert join_all(root, names) == [str(root / name) for name in names]


def test_fingerprint_does_not_depend_on_the_order_of_many_rows() -> None:
    table = large_table(2_000)
    assert table.take(np.random.default_rng(0).permutation(2_000)).fingerprint() == table.fingerprint()
