"""Pictures listed in JSON."""

import json
from pathlib import Path

import pytest

from data_pictures import MakeFolder
from discern.data.sources.inputs import load_inputs
from discern.data.sources.load import load_table
from discern.errors import DataError

ROWS = [
    {"file_name": "red/1.png", "label": "rot", "split": "train", "extra": [1, 2]},
    {"label": "blau", "file_name": "blue/1.png", "split": "test"},
    {"file_name": "red/2.png", "label": None, "split": "train"},
]


@pytest.fixture
def photos(make_folder: MakeFolder) -> Path:
    return make_folder({"red": 2, "blue": 1})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("labels.jsonl", "\n".join(map(json.dumps, ROWS)) + "\n"),
        ("labels.ndjson", "\ufeff" + "\r\n\r\n".join(map(json.dumps, ROWS))),
        ("labels.json", json.dumps(ROWS, indent=2)),
    ],
)
def test_keys_are_columns(photos: Path, name: str, text: str) -> None:
    (photos / name).write_text(text, encoding="utf-8")
    frame = load_table(photos / name).frame
    assert frame["id"].tolist() == ["red/1.png", "blue/1.png", "red/2.png"]
    assert frame["label"].fillna("").tolist() == ["rot", "blau", ""]
    assert frame["split"].tolist() == ["train", "test", "train"]
    assert len(load_inputs(photos / name)) == 3


def test_numbers_and_yes_or_no_as_labels(photos: Path) -> None:
    (photos / "labels.jsonl").write_text(
        '{"image": "red/1.png", "label": 1}\n{"image": "red/2.png", "label": true}\n'
        '{"image": "blue/1.png", "label": "1"}\n'
    )
    assert load_table(photos / "labels.jsonl").frame["label"].tolist() == ["1", "True", "1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"image": "red/1.png"}\n{"image": \n[1]\n', r"such as\n  .*\nThese are none:\n  line 2\n  line 3$"),
        ('[{"image": "red/1.png"}, 3]', r"These are none:\n  element 2$"),
        ('[{"image": "red/1.png"}', r"These are none:\n  element 1$"),
        ("", r'or one array of objects, such as\n  \{"image": "red/1.png", "label": "red"\}$'),
        ('{"image": "red/1.png", "label": ["a", "b"]}', r"column 'label' holds cells that are no text or number"),
    ],
)
def test_what_is_no_list_of_objects(photos: Path, text: str, message: str) -> None:
    (photos / "labels.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        load_table(photos / "labels.jsonl")
