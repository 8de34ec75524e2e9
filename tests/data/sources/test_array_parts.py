from pathlib import Path

import numpy as np
import pytest

from discern.data.sources.load import load_inputs, load_table
from discern.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 10, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 1, 0])


@pytest.mark.parametrize(
    "names",
    [
        "x_train y_train x_test y_test",
        "X_train Y_train X_test Y_test",
        "train_x train_y test_x test_y",
        "xtrain ytrain xtest ytest",
        "train_images train_labels test_images test_labels",
        "images_train labels_train images_test labels_test",
        "train_data train_targets test_data test_targets",
        "trainX trainY testX testY",
        "x_training y_training x_holdout y_holdout",
    ],
)
def test_usual_names_of_arrays_by_split(tmp_path: Path, names: str) -> None:
    parts = dict(zip(names.split(), (PIXELS, LABELS, PIXELS[:1], LABELS[:1]), strict=True))
    np.savez(tmp_path / "d.npz", **parts)
    for source in (parts, tmp_path / "d.npz"):
        table = load_table(source)
        assert table.frame["split"].tolist() == ["train"] * 4 + ["test"]
        assert table.frame["label"].tolist() == ["0", "1", "1", "0", "0"]
        assert table.ignored == ()


@pytest.mark.parametrize("names", ["X y", "x y", "data targets", "data target", "image label", "arr_0 arr_1"])
def test_usual_names_of_arrays_without_split(names: str) -> None:
    images, labels = names.split()
    table = load_table({images: PIXELS, labels: LABELS, "classes": np.array(["ant", "bee"])})
    assert table.frame["split"].isna().all()
    assert table.frame["label"].tolist() == ["ant", "bee", "bee", "ant"]


def test_two_arrays_that_mean_the_same() -> None:
    with pytest.raises(DataError, match=r"'images' and 'x' could each be the images. Leave one of them out"):
        load_table({"images": PIXELS, "x": PIXELS, "y": LABELS})


@pytest.mark.parametrize(
    ("images", "line"),
    [
        (PIXELS.transpose(0, 3, 1, 2), "images.transpose(0, 2, 3, 1)"),
        (PIXELS[:, None, :, :, 0], "images.transpose(0, 2, 3, 1)"),
        (PIXELS.transpose(1, 2, 3, 0), "images.transpose(3, 0, 1, 2)"),
        (PIXELS / 255, "(images * 255).round().astype(np.uint8)"),
        (PIXELS.astype(np.float32), "images.round().astype(np.uint8)"),
        (PIXELS / 127.5 - 1, "((images + 1) * 127.5).round().astype(np.uint8)"),
        ((PIXELS / 255).transpose(0, 3, 1, 2), "(images.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)"),
        (PIXELS.astype(np.int64), "images.round().astype(np.uint8)"),
        (PIXELS.astype(np.int64) * 257, "images.round().astype(np.uint16)"),
        (PIXELS[..., 0] > 127, "images.astype(np.uint8) * 255"),
        (np.concatenate([PIXELS, PIXELS[..., :1]], axis=3), "images[..., :3]"),
        (PIXELS[:, :, :8, 0].reshape(4, -1), "images.reshape(-1, 8, 8)"),
        (
            PIXELS[:, :, :8].transpose(0, 3, 1, 2).reshape(4, -1),
            "images.reshape(-1, 3, 8, 8).transpose(0, 2, 3, 1)",
        ),
    ],
)
def test_error_has_the_line_that_mends_the_images(images: np.ndarray, line: str) -> None:
    with pytest.raises(DataError, match=r"expected uint8 \(0..255\) or uint16 of shape") as error:
        load_table((images, LABELS))
    assert str(error.value).endswith(f" Mend it with: images = {line}")
    mended = eval(line, {"images": images, "np": np})  # the advice itself
    arrays = load_table((mended, LABELS)).arrays
    assert arrays is not None
    if images.dtype.kind != "b":
        arrays = np.stack(list(arrays)) // (257 if mended.dtype == np.uint16 else 1)
        assert (np.stack(list(arrays))[..., 0] == PIXELS[:, :, : mended.shape[2], 0]).all()


@pytest.mark.parametrize("images", [np.zeros((4, 7)), np.zeros((4, 2, 8, 10))])
def test_no_line_where_none_is_known(images: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"of shape \(N, H, W, 3\) or \(N, H, W\)\.$"):
        load_table((images, LABELS))


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (PIXELS * np.nan, "It holds NaN or infinity: fill them first, such as by np.nan_to_num(images)."),
        (PIXELS / 50 - 2, "scale all pictures, new ones too, in one way: ((images - (-2)) /"),
        (PIXELS.astype(np.int64) * 300, "Values from 0 to 76500. Undo what scaled or normalised them"),
        (PIXELS.astype(np.int8), "images.view(np.uint8) if 128..255 became negative."),
    ],
)
def test_advice_for_numbers_looks_at_the_values_in_train_and_predict(images: np.ndarray, advice: str) -> None:
    with pytest.raises(DataError) as error:
        load_table((images, LABELS))
    assert advice in str(error.value)
    with pytest.raises(DataError) as error:
        load_inputs(images)
    assert advice.replace("images", "array") in str(error.value)


def test_labels_of_several_kinds_stay_apart() -> None:
    assert load_table((PIXELS, [True, 1, "1.0", b"a"])).frame["label"].tolist()[:3] == ["True", "1", "1.0"]


def test_error_has_the_line_that_mends_one_hot_labels() -> None:
    labels = np.eye(2)[LABELS]
    with pytest.raises(DataError, match=r"expected \(4,\), one label per picture. .*labels = labels.argmax\(axis=1\)$"):
        load_table((PIXELS, labels))
    assert load_table((PIXELS, labels.argmax(axis=1))).frame["label"].tolist() == ["0", "1", "1", "0"]
