"""Pictures of more than 8 bits that use little of their range."""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from torch.utils.data import Dataset

from data_pictures import MakeFolder
from discern.data.reading.dataset import decode_row
from discern.data.reading.decode import decode_image
from discern.data.reading.depth import apply_depth_range
from discern.data.reading.preflight import check_images
from discern.data.reading.preprocess import Preprocess
from discern.data.sources.load import load_inputs, load_table
from discern.errors import BadImageError, BundleError
from discern.predictor.load import load
from discern.predictor.predictor import Predictor


def save_deep(path: Path, kind: str, high: float, *, low: float = 0.0) -> Path:
    """Save a ramp from low to high as a picture of more than 8 bits."""
    values = np.linspace(low, high, 32 * 32).reshape(32, 32)
    dtype = {"16": np.uint16, "32": np.int32, "float": np.float32}[kind]
    Image.fromarray(values.astype(dtype)).save(path)
    return path


@pytest.mark.parametrize(("kind", "high"), [("16", 500), ("32", 500), ("float", 500), ("float", 3.0), ("32", 200_000)])
def test_a_stated_range_is_black_and_white(tmp_path: Path, kind: str, high: float) -> None:
    file = save_deep(tmp_path / "a.tiff", kind, high)
    pixels = np.asarray(decode_image(file, depth_range=(0, high)))[:, :, 0].reshape(-1)
    ramp = np.linspace(0, 255, 32 * 32)
    assert np.abs(pixels - ramp).max() <= (1.5 if high >= 500 else 2)
    assert set(np.asarray(decode_image(file, depth_range=(high + 1, high + 2))).reshape(-1)) == {0}


def test_pictures_of_eight_bits_stay_as_they_are(tmp_path: Path) -> None:
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "a.png")
    assert np.array_equal(decode_image(tmp_path / "a.png"), decode_image(tmp_path / "a.png", depth_range=(0, 10)))
    array = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode_image(array), decode_image(array, depth_range=(0, 10)))


def test_arrays_are_scaled_like_files() -> None:
    values = np.linspace(0, 500, 1024).reshape(32, 32)
    expected = np.asarray(decode_image(values.astype(np.uint16), depth_range=(0, 500)))
    assert expected.max() == 255
    for dtype in (np.int32, np.float32, np.int64):
        found = np.asarray(decode_image(values.astype(np.uint16).astype(dtype), depth_range=(0, 500)))
        assert np.array_equal(found, expected)
    table = load_inputs(values.astype(np.uint16), depth_range=(0, 500))
    assert table.arrays is not None
    assert np.array_equal(np.asarray(decode_row(table, 0)), expected)


@pytest.mark.parametrize(
    ("kind", "low", "high", "said"),
    [
        ("16", 0, 500, r"0 to 499 of 0 to 65535, as in .*nearly black.* Set data.depth_range=\[0,499\]"),
        ("16", 0, 4095, r"0 to 40.. of 0 to 65535.*Set data.depth_range=\[0,40..\]"),
        ("float", 0, 0.2, r"of 0 to 1, .* Set data.depth_range=\[0,0.19"),
        ("32", 0, 200_000, r"of 0 to 65535, as in .*refused as they are.* Set data.depth_range=\[0,199"),
        ("float", -1000, 1000, r"refused as they are.* Set data.depth_range=\[-99.*,99"),
    ],
)
def test_a_small_range_is_warned_of_and_measured(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture, kind: str, low: float, high: float, said: str
) -> None:
    root = make_folder({"a": 1, "b": 1})
    for name in "ab":
        save_deep(root / name / "deep.tiff", kind, high, low=low)
    with caplog.at_level(logging.INFO, "discern"):
        assert apply_depth_range(load_table(root), None).depth_range is None
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert re.search(said, record.getMessage()), record.getMessage()
    measured = apply_depth_range(load_table(root), "measured")
    assert measured.depth_range == pytest.approx((low, high), abs=0.005 * (high - low))
    assert np.asarray(decode_row(measured, 1)).max() == 255


def test_full_ranges_and_plain_pictures_are_no_matter(
    make_folder: MakeFolder, caplog: pytest.LogCaptureFixture
) -> None:
    root = make_folder({"a": 2, "b": 2})
    assert apply_depth_range(load_table(root), None).depth_range is None
    save_deep(root / "a" / "deep.tiff", "16", 65535)
    assert apply_depth_range(load_table(root), None).depth_range is None
    assert not caplog.records


def test_beyond_the_rules_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadImageError, match=r"from 0 to 70000; expected 0..65535, or data.depth_range=.0,70000."):
        decode_image(save_deep(tmp_path / "a.tiff", "32", 70_000))
    with pytest.raises(BadImageError, match=r"expected 0..1 or 0..255, or data.depth_range=.LOW,HIGH."):
        decode_image(save_deep(tmp_path / "b.tiff", "float", 70_000))


def test_preprocessing_keeps_the_range(preprocess: Preprocess) -> None:
    kept = replace(preprocess, depth_range=(0.0, 500.0))
    assert Preprocess.from_dict(kept.to_dict()) == kept
    older = {name: value for name, value in preprocess.to_dict().items() if name != "depth_range"}
    assert Preprocess.from_dict(older) == preprocess
    for wrong in ([5, 1], [0, float("nan")], [1], "0,5"):
        with pytest.raises(BundleError, match=r"depth_range .*two numbers, the lower one first"):
            Preprocess.from_dict({**preprocess.to_dict(), "depth_range": wrong})


def test_a_classifier_answers_deep_pictures_by_its_range(trained_run: Path, photos: Path, tmp_path: Path) -> None:
    predictor = load(trained_run)
    grey = Image.open(photos / "red" / "1.png").convert("L")
    grey.save(tmp_path / "plain.png")
    deep = (np.asarray(grey, dtype=np.float64) * 500 / 255).round().astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    bundle = replace(predictor.bundle, preprocess=replace(predictor.bundle.preprocess, depth_range=(0.0, 500.0)))
    scaled = Predictor(bundle, predictor.runtime)
    plain = scaled.predict_inputs([tmp_path / "plain.png"])
    assert np.abs(scaled.predict_inputs([tmp_path / "deep.png"]) - plain).max() < 0.02
    assert np.array_equal(scaled.predict_inputs([deep]), scaled.predict_inputs([tmp_path / "deep.png"]))


class _Deep(Dataset[Any]):
    """Pictures of more than 8 bits as Pillow and NumPy hold them."""

    targets = ("a", "b", "a", "b")

    def __init__(self, values: npt.NDArray[np.int64]) -> None:
        grey = values.astype(np.uint16)
        self.images: list[Any] = [
            Image.fromarray(grey),
            Image.fromarray(values.astype(np.int32)),
            Image.fromarray(values.astype(np.float32)),
            np.stack([grey] * 3, axis=2),
        ]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, str]:
        return self.images[index], self.targets[index]


def test_the_range_holds_for_the_pictures_of_a_dataset() -> None:
    values = np.arange(600).reshape(20, 30) % 501
    table = apply_depth_range(load_table(_Deep(values)), "measured")
    assert table.depth_range == (0, 500)
    expected = np.asarray(decode_image(values.astype(np.uint16), depth_range=(0, 500)))
    for row in range(4):
        assert np.array_equal(decode_row(table, row), expected)
    assert check_images(table, verify="full") == []
    by_rule = load_table(_Deep(values % 256))
    assert [int(np.asarray(decode_row(by_rule, row)).max()) for row in range(4)] == [1, 1, 255, 1]
