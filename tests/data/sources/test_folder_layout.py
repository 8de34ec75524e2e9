"""Which class and split a place means, from names alone."""

import pytest

from discern.data.sources.folder_layout import find_layout
from discern.errors import DataError

Placed = dict[str, tuple[str, str | None]]


def arrange(*names: str) -> Placed:
    return {one.file: (one.label, one.split) for one in find_layout("photos", sorted(names)).placed}


def test_pictures_below_a_class_folder_are_of_that_class_and_it_is_said() -> None:
    layout = find_layout("photos", ["ants/1.png", "ants/more/2.png", "ants/more/deep/3.png", "bees/1.png"])
    assert [one.label for one in layout.placed] == ["ants", "ants", "ants", "bees"]
    assert layout.remarks == [
        "2 pictures in folders below a class folder are of that class, such as ants/more/2.png: ants"
    ]


def test_one_class_may_have_folders_only() -> None:
    assert arrange("ants/red/1.png", "ants/black/1.png", "bees/1.png")["ants/red/1.png"] == ("ants", None)


def test_the_same_folder_in_every_class_is_no_class() -> None:
    assert arrange("n01/images/1.png", "n02/images/1.png") == {
        "n01/images/1.png": ("n01", None),
        "n02/images/1.png": ("n02", None),
    }


@pytest.mark.parametrize("wrapper", ["unzipped", "data/images"])
def test_folders_around_all_classes_are_passed_through(wrapper: str) -> None:
    layout = find_layout("photos", [f"{wrapper}/ants/1.png", f"{wrapper}/bees/1.png", "cover.png"])
    assert [one.label for one in layout.placed] == ["ants", "bees"]
    assert layout.remarks == [f"the folder {wrapper} holds all classes"]
    assert layout.unused == [("cover.png", "in no class folder")]


def test_splits_inside_a_folder_around_them() -> None:
    assert arrange("set/train/ants/1.png", "set/train/bees/1.png", "set/val/ants/1.png") == {
        "set/train/ants/1.png": ("ants", "train"),
        "set/train/bees/1.png": ("bees", "train"),
        "set/val/ants/1.png": ("ants", "validation"),
    }


def test_each_class_with_its_own_splits() -> None:
    layout = find_layout("photos", ["ants/train/1.png", "ants/test/2.png", "bees/train/1.png", "bees/val/deep/2.png"])
    assert [(one.label, one.split) for one in layout.placed] == [
        ("ants", "train"),
        ("ants", "test"),
        ("bees", "train"),
        ("bees", "validation"),
    ]
    assert layout.remarks[0] == "each class has its own folders for the splits"
    assert "in folders below a class folder" not in layout.remarks[0]


def test_the_same_folder_around_the_classes_of_every_split() -> None:
    assert arrange("train/images/ants/1.png", "train/images/bees/1.png", "test/images/ants/2.png") == {
        "train/images/ants/1.png": ("ants", "train"),
        "train/images/bees/1.png": ("bees", "train"),
        "test/images/ants/2.png": ("ants", "test"),
    }


def test_folders_beside_the_splits_are_named() -> None:
    layout = find_layout("photos", ["train/ants/1.png", "train/bees/1.png", "drafts/1.png"])
    assert layout.unused == [("drafts/1.png", "beside the folders of the splits")]


@pytest.mark.parametrize("outer", ["", "set/", "train/"])
def test_folders_that_repeat_can_be_read_in_two_ways(outer: str) -> None:
    names = [f"{outer}{year}/{name}/1.png" for year in ("2019", "2020") for name in ("ants", "bees")]
    with pytest.raises(DataError, match="may be 2019, 2020, or the folders that repeat inside them, ants, bees"):
        arrange(*names)


@pytest.mark.parametrize("other", ["bees/1.png", "ants/1.png", "bees/more/1.png"])
def test_splits_in_some_classes_only_can_be_read_in_two_ways(other: str) -> None:
    with pytest.raises(DataError, match=rf"called test, train, but there are pictures beside them:\n  {other}\n"):
        arrange("ants/test/1.png", "ants/train/1.png", other)


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("flowersTrain", "flowersTest"),
        ("01_train", "02_test"),
        ("train/train", "test/test"),
        ("train/images/images", "test/images/images"),
    ],
)
def test_words_for_splits_in_the_names_of_folders_and_folders_around_their_classes(train: str, test: str) -> None:
    names = [f"{folder}/{name}/1.png" for folder in (train, test) for name in ("ants", "bees")]
    layout = find_layout("photos", sorted([*names, "seg_pred/seg_pred/1.png"]))
    assert {one.file: (one.label, one.split) for one in layout.placed} == {
        f"{folder}/{name}/1.png": (name, split)
        for folder, split in ((train, "train"), (test, "test"))
        for name in ("ants", "bees")
    }
    assert layout.unused == [("seg_pred/seg_pred/1.png", "beside the folders of the splits")]
    assert ("the folder seg_test is the split test" in layout.remarks) == (test == "seg_test/seg_test")


def test_a_test_split_without_labels_in_a_folder_of_its_name() -> None:
    layout = find_layout("photos", ["test/test/1.png", "train/train/ants/1.png", "train/train/bees/1.png"])
    assert [(one.label, one.split) for one in layout.placed] == [("ants", "train"), ("bees", "train")]
    assert layout.unused == [("test/test/1.png", "in no class folder")]


@pytest.mark.parametrize(
    ("one", "other"), [("a/x", "b/x"), ("a/x", "b/y"), ("train/a", "test/b"), ("train station", "test tube")]
)
def test_folders_that_repeat_deeper_are_refused(one: str, other: str) -> None:
    names = [f"{folder}/{name}/1.png" for folder in (one, other) for name in ("ants", "bees")]
    with pytest.raises(DataError, match="or the folders that repeat inside them, ants, bees"):
        find_layout("photos", sorted(names))


def test_folders_that_repeat_below_several_others_are_no_classes() -> None:
    names = [
        f"{name}/{place}/{side}/1.png"
        for name, place in (("ants", "p1"), ("ants", "p2"), ("bees", "p3"))
        for side in "lr"
    ]
    assert {label for label, _ in arrange(*names).values()} == {"ants", "bees"}
