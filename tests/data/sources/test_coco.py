"""Annotations in the form of COCO."""

import json
from pathlib import Path
from typing import Any

import pytest

from data_pictures import MakeFolder
from discern.data.sources.columns import ColumnSettings
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError

INFO = {"info": {"year": 2026}, "licenses": []}
IMAGES = [
    {"id": 7, "file_name": "red/1.png", "width": 8},
    {"id": 8, "file_name": "red/2.png"},
    {"id": 9, "file_name": "blue/1.png"},
]
CATEGORIES = [{"id": 1, "name": "rot", "supercategory": "colour"}, {"id": 2, "name": "blau"}]
ANNOTATIONS = [
    {"id": 1, "image_id": 9, "category_id": 2, "bbox": [0, 0, 2, 2]},
    {"id": 2, "image_id": 7, "category_id": 1},
    {"id": 3, "image_id": 7, "category_id": 1},
]


@pytest.fixture
def photos(make_folder: MakeFolder) -> Path:
    return make_folder({"red": 2, "blue": 1})


def write(file: Path, **parts: Any) -> Path:
    content = {"images": IMAGES, "annotations": ANNOTATIONS, "categories": CATEGORIES} | parts
    file.write_text(json.dumps({**INFO, **{name: part for name, part in content.items() if part is not None}}))
    return file


def test_the_category_of_a_picture_is_its_class(photos: Path) -> None:
    table = load_table(write(photos / "train.json"))
    assert table.class_names == ("blau", "rot")
    assert table.frame["id"].tolist() == ["red/1.png", "red/2.png", "blue/1.png"]
    assert table.frame["label"].fillna("").tolist() == ["rot", "", "blau"]


def test_pictures_may_lie_in_another_folder(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    file = write(tmp_path / "annotations" / "train.json")
    frame = load_table(file, ColumnSettings(image_root=photos)).frame
    assert frame["path"].tolist() == [str(photos / image["file_name"]) for image in IMAGES]


@pytest.mark.parametrize("annotations", [None, []])
def test_without_annotations_they_are_pictures_to_predict(photos: Path, annotations: list[object] | None) -> None:
    file = write(photos / "test.json", annotations=annotations, categories=None)
    assert len(load_inputs(file)) == 3


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"annotations": [*ANNOTATIONS, {"image_id": 7, "category_id": 2}]},
            r"train.json: 1 of 3 pictures have annotations of several categories:\n  red/1.png: rot, blau\n"
            r"A picture has one class here\. Leave these out, or cut their objects out first\.$",
        ),
        (
            {"annotations": [{"image_id": 1, "category_id": 2}, {"image_id": 7, "category_id": 3}]},
            r"annotations of what is not listed in the file:\n  image_id 1\n  category_id 3$",
        ),
        (
            {"images": [*IMAGES, {"id": 10}, "red/1.png"]},
            r"expected entries with id and file_name, as COCO has them:\n  images\[3\]\n  images\[4\]$",
        ),
        ({"annotations": {"a": 1}}, r"expected entries with image_id and category_id, as COCO has them:"),
    ],
)
def test_what_cannot_be_a_class_is_listed(photos: Path, parts: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_table(write(photos / "train.json", **parts))
