import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from data_pictures import MakeFolder
from discern.data.sources.load import join_classes, load_table
from discern.data.table import ImageTable, build_table, natural_sort, parse_split
from discern.errors import DataError


def small_table() -> ImageTable:
    columns = {"id": ["a", "b", "c", "d"], "label": ["10", "2", None, "1"], "split": ["train", "test", None, "train"]}
    return build_table(columns, source="here")


def test_natural_order_counts_numbers_as_numbers() -> None:
    names = ["10", "2", "1", "b2", "B10", "a", "b1", "x1y10", "x1y9"]
    assert natural_sort(names) == ("1", "2", "10", "a", "b1", "b2", "B10", "x1y9", "x1y10")


def test_natural_order_does_not_depend_on_the_order_given() -> None:
    names = ["a1", "A1", "a01", "1a", "", "ä", "a-1", "a 1", "²"]
    for seed in range(20):
        assert natural_sort(random.Random(seed).sample(names, len(names))) == natural_sort(names)


def test_classes_are_in_natural_order_and_unlabelled_is_minus_one() -> None:
    table = small_table()
    assert table.class_names == ("1", "2", "10")
    assert table.targets().tolist() == [2, 1, -1, 0]
    assert table.targets().dtype == np.int64


def test_unlabelled_table_has_no_classes() -> None:
    table = build_table({"id": ["a", "b"]}, source="here")
    assert table.class_names == ()
    assert table.targets().tolist() == [-1, -1]
    assert table.frame["path"].tolist() == ["", ""]


def test_select_and_take_keep_classes_and_share_arrays() -> None:
    arrays = np.zeros((3, 2, 2, 3), dtype=np.uint8)
    columns = {"id": ["0", "1", "2"], "label": ["a", "b", "c"], "split": ["train", "test", "train"]}
    table = build_table(columns, source="here", arrays=arrays, array_index=np.arange(3))
    train = table.select("train")
    assert train.frame["id"].tolist() == ["0", "2"]
    assert train.frame.index.tolist() == [0, 1]
    assert train.frame["array_index"].tolist() == [0, 2]
    assert train.class_names == ("a", "b", "c")
    assert train.arrays is arrays
    assert table.take(np.array([2, 0])).frame["id"].tolist() == ["2", "0"]


def test_repeated_ids_are_all_listed() -> None:
    with pytest.raises(DataError, match=r"same id occurs more than once:\n  a: 2 times\n  c: 3 times\nEach picture"):
        build_table({"id": ["a", "b", "a", "c", "c", "c"]}, source="here")


def test_label_that_is_no_class_is_an_error_not_a_shift() -> None:
    table = small_table()
    table.frame.loc[0, "label"] = "strange"
    with pytest.raises(DataError, match="none of its classes: strange"):
        table.targets()


def test_join_by_name_and_not_by_place() -> None:
    joined = join_classes(small_table(), ("10", "5", "2", "1"))
    assert joined.targets().tolist() == [0, 2, -1, 3]


@pytest.mark.parametrize("names", [("1.0", "2.0", "10"), ("01", "02", "010")])
def test_join_by_the_value_of_numbers(names: tuple[str, ...]) -> None:
    table = build_table({"id": ["a", "b", "c"], "label": ["2", "10", None]}, source="here")
    joined = join_classes(table, names)
    assert joined.targets().tolist() == [1, 2, -1]
    assert joined.frame["label"].tolist()[:2] == list(names[1:])


def test_join_lists_every_unknown_class() -> None:
    with pytest.raises(DataError, match=r"does not know:\n  '2': 1 picture\n  '10': 1 picture\nIt knows 1, 3"):
        join_classes(small_table(), ("1", "3"))


def test_join_takes_the_spelling_of_the_classifier() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    table = build_table({"id": ["1", "2", "3"], "label": [decomposed, "b", None]}, source="here")
    joined = join_classes(table, ("b", composed))
    assert joined.frame["label"].tolist()[:2] == [composed, "b"]
    assert joined.targets().tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("train", "train"), ("Val", "validation"), (" valid ", "validation"), ("TEST", "test"), ("ants", None)),
        *(("Training set", "train"), ("test_images", "test"), ("hold-out", "test"), ("val2017", "validation")),
        *(
            ("PublicTest", "validation"),
            ("test1", "test"),
            ("test2", None),
            ("", None),
            ("set", None),
            ("contest", None),
            ("trains", None),
        ),
    ],
)
def test_split_names(name: str, split: str | None) -> None:
    assert parse_split(name) == split


def test_fingerprint_ignores_order_and_place_but_not_content(make_folder: MakeFolder) -> None:
    root = make_folder({"ants": 3, "bees": 2})
    table = load_table(root)
    fingerprint = table.fingerprint()
    assert table.take(np.array([3, 1, 4, 0, 2])).fingerprint() == fingerprint
    moved = root.rename(root.with_name("elsewhere"))
    assert load_table(moved).fingerprint() == fingerprint
    with (moved / "ants" / "1.png").open("ab") as file:
        file.write(b"more")
    assert load_table(moved).fingerprint() != fingerprint


def test_fingerprint_sees_pixels_of_arrays() -> None:
    images = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    before = load_table((images, ["a", "b"])).fingerprint()
    images[1, 0, 0, 0] = 1
    assert load_table((images, ["a", "b"])).fingerprint() != before
    assert load_table((images, ["a", "c"])).fingerprint() != before


def test_fingerprint_of_missing_file() -> None:
    table = build_table({"id": ["a"], "path": [str(Path("/no/such/file.png"))]}, source="here")
    assert len(table.fingerprint()) == 64
