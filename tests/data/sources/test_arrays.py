from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from data_pictures import MakeFolder
from discern.data.sources.load import load_table
from discern.errors import DataError

Array = npt.NDArray[np.generic]


def pixels(count: int, *, channels: tuple[int, ...] = (3,)) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, 4, 5, *channels), dtype=np.uint8)


def test_npz_with_images_and_labels(tmp_path: Path) -> None:
    images = pixels(3)
    np.savez(tmp_path / "a.npz", images=images, labels=[10, 2, 10])
    table = load_table(tmp_path / "a.npz")
    assert table.frame["id"].tolist() == ["0", "1", "2"]
    assert table.class_names == ("2", "10")
    assert table.frame["split"].isna().all()
    assert table.arrays is not None
    assert np.array_equal(np.stack(list(table.arrays)), images)


def test_npz_with_splits_and_names(tmp_path: Path) -> None:
    train, validation, test = pixels(3), pixels(2), pixels(1)
    np.savez_compressed(
        tmp_path / "a.npz",
        train_images=train,
        train_labels=np.array([[0], [1], [2]]),
        val_images=validation,
        val_labels=[2, 0],
        test_images=test,
        test_labels=[1],
        class_names=["wasp", "ant", "bee"],
        extra=[1],
    )
    table = load_table(tmp_path / "a.npz")
    assert table.class_names == ("ant", "bee", "wasp")
    assert table.frame["label"].tolist() == ["wasp", "ant", "bee", "bee", "wasp", "ant"]
    assert table.frame["id"].tolist()[2:4] == ["train/2", "validation/0"]
    assert table.ignored == ("array 'extra': not understood",)
    row = table.select("test").frame.iloc[0]
    assert table.arrays is not None
    assert np.array_equal(table.arrays[row["array_index"]], test[0])


@pytest.mark.parametrize("channels", [(), (1,)])
def test_grey_arrays_become_rgb_without_a_copy(channels: tuple[int, ...]) -> None:
    images = pixels(2, channels=channels)
    table = load_table((images, ["a", "b"]))
    assert table.arrays is not None
    picture = table.arrays[1]
    assert picture.shape == (4, 5, 3)
    assert all(np.array_equal(picture[..., channel], images[1].reshape(4, 5)) for channel in range(3))
    assert np.shares_memory(picture, images)


def test_a_pair_takes_pictures_one_by_one(make_folder: MakeFolder) -> None:
    """A path that repeats, as in a sample drawn with replacement, makes a group; masked labels are missing."""
    path = make_folder({".": 1}) / "1.png"
    images = [path, np.full((5, 4, 3), 7, np.uint8), path, np.full((8, 8), 500, np.uint16)]
    table = load_table((images, np.ma.array([1, 2, 1, 2], mask=[False, False, False, True])))
    assert table.frame["id"].tolist() == [str(path), "1", f"{path}#2", "3"]
    assert table.frame["path"].tolist() == [str(path), "", str(path), ""]
    assert table.frame["group"].fillna("").tolist() == [str(path), "", str(path), ""]
    assert table.frame["label"].fillna("").tolist() == ["1", "2", "1", ""]
    assert table.frame["array_index"].tolist() == [-1, 0, -1, 1]
    assert table.arrays is not None
    assert table.arrays[0].shape == (5, 4, 3)
    assert table.arrays[1].max() == 500


@pytest.mark.parametrize("names", [np.array(["wasp", "fée"]), np.char.encode(["wasp", "fée"], "utf-8")])
@pytest.mark.parametrize("labels", [np.array([1, 0]), np.array([1.0, 0.0]), np.array([1, 0], dtype=np.uint8)])
def test_whole_numbers_of_any_type_count_into_names(names: Array, labels: Array) -> None:
    table = load_table({"images": pixels(2), "labels": labels, "class_names": names})
    assert table.frame["label"].tolist() == ["fée", "wasp"]


@pytest.mark.parametrize("labels", [["b", "a"], np.array(["b", "a"], dtype=object), np.array([b"b", b"a"])])
def test_labels_of_text(labels: object) -> None:
    table = load_table({"images": pixels(2), "labels": np.asarray(labels)})
    assert table.frame["label"].tolist() == ["b", "a"]


def swapped(**parts: object) -> dict[str, Array]:
    whole = {"images": pixels(2), "labels": np.array([0, 1]), **parts}
    return {name: np.asarray(part) for name, part in whole.items() if part is not None}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (swapped(images=None), r"holds labels. Expected images and labels, or train_images"),
        (swapped(labels=None), r"labels is missing. Expected images and labels"),
        (swapped(images=np.zeros((2, 4, 4, 3))), r"images is float64 of shape \(2, 4, 4, 3\); expected uint8"),
        (
            swapped(images=np.zeros((2, 3, 8, 8), dtype=np.uint8)),
            r"shape \(2, 3, 8, 8\); expected uint8 .* \(N, H, W, 3\)",
        ),
        (swapped(labels=[0, 1, 1]), r"labels has shape \(3,\); expected \(2,\)"),
        (swapped(class_names=["a"]), r"labels goes from 0 to 1; class_names has 1 names, 0 to 0"),
        (swapped(class_names=[["a", "b"]]), r"class_names has shape \(1, 2\); expected \(K,\), one name a class"),
        (swapped(class_names="a"), r"class_names has shape \(\); expected \(K,\)"),
        (swapped(class_names=["b", "a", "b"]), r"class_names holds 'b' more than once; expected a different name"),
        (swapped(class_names=["b", " "]), r"class_names holds an empty name"),
        (swapped(class_names=[b"\xff", b"a"]), r"class_names holds bytes that are no UTF-8.*Save it as text"),
        (swapped(labels=[0.5, 1.0], class_names=["a", "b"]), r"labels holds 0.5, 1.0; expected one of"),
        (swapped(labels=[0.0, 2.0], class_names=["a", "b"]), r"labels goes from 0 to 2; class_names has 2 names"),
        (swapped(labels=["a", "c"], class_names=["a", "b"]), r"labels holds c; expected one of class_names"),
        (
            {"train_images": pixels(1), "train_labels": np.array([0]), "test_images": np.zeros((1, 9, 9, 3), np.uint8)},
            r"pictures of several sizes: \(1, 4, 5, 3\), \(1, 9, 9, 3\)",
        ),
    ],
)
def test_arrays_that_do_not_fit(parts: dict[str, Array], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_table(parts)


def save_pickled(path: Path) -> None:
    np.savez(path, images=np.array([{"not": "pixels"}], dtype=object), labels=[0])


def save_half(path: Path) -> None:
    np.savez(path, images=pixels(20), labels=range(20))
    path.write_bytes(path.read_bytes()[:500])


def save_single(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, pixels(2))


def save_text(path: Path) -> None:
    path.write_text("hello")


@pytest.mark.parametrize("save", [save_pickled, save_half, save_single, save_text])
def test_npz_that_is_not_plain_arrays(tmp_path: Path, save: Callable[[Path], object]) -> None:
    save(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"a.npz: not readable as .npz of plain arrays"):
        load_table(tmp_path / "a.npz")


def test_names_saved_as_objects_are_told_how_to_be_saved(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=pixels(1), labels=[0], class_names=np.array(["a"], dtype=object))
    with pytest.raises(DataError, match=r"not readable as .npz(.|\n)*save names as np.array\(names, dtype=str\)"):
        load_table(tmp_path / "a.npz")


def test_real_arrays(shared_data: Path) -> None:
    table = load_table(shared_data / "cifar10_small.npz")
    assert len(table) == 6000
    assert table.class_names[:3] == ("airplane", "automobile", "bird")
    assert table.select("test").frame["label"].value_counts().to_dict() == dict.fromkeys(table.class_names, 100)
