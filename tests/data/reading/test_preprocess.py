import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from data_pictures import draw
from discern.data.reading.decode import decode_image
from discern.data.reading.preprocess import Fit, Preprocess
from discern.errors import BundleError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build(fit: Fit, size: int = 16) -> Preprocess:
    return Preprocess(size, fit, MEAN, STD)


def weights(length: int, side: int) -> npt.NDArray[np.float64]:
    """Rows of an antialiased bilinear (triangle) filter, written out from its definition."""
    scale = length / side
    support = max(scale, 1.0)
    centers = (np.arange(side)[:, None] + 0.5) * scale
    rows = np.maximum(0, 1 - np.abs(np.arange(length)[None] + 0.5 - centers) / support)
    return rows / rows.sum(axis=1, keepdims=True)


def resized(image: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    pixels = np.asarray(image).astype(np.float64)
    across = weights(image.width, size[0])
    down = weights(image.height, size[1])
    return np.einsum("yh,xw,hwc->cyx", down, across, pixels)


@pytest.mark.parametrize("size", [(61, 40), (16, 16), (9, 7), (16, 5), (200, 31)])
def test_squash_is_the_antialiased_filter(size: tuple[int, int]) -> None:
    image = draw(3, size=size)
    fitted = build("squash").fit_image(image)
    assert fitted.shape == (3, 16, 16)
    assert fitted.dtype == torch.uint8
    assert np.abs(fitted.numpy() - resized(image, (16, 16))).max() <= 1.01


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (48, 48), (8, 4)])
def test_crop_is_resizing_the_shorter_side_and_cutting_the_centre(size: tuple[int, int]) -> None:
    image = draw(4, size=size)
    scale = 16 / min(size)
    whole = resized(image, (round(size[0] * scale), round(size[1] * scale)))
    top, left = (whole.shape[1] - 16) // 2, (whole.shape[2] - 16) // 2
    fitted = build("crop").fit_image(image)
    assert np.abs(fitted.numpy() - whole[:, top : top + 16, left : left + 16]).max() <= 1.01


@pytest.mark.parametrize("size", [(64, 32), (32, 64), (500, 3), (8, 6)])
def test_pad_keeps_all_and_fills_with_the_mean(size: tuple[int, int]) -> None:
    image = draw(5, size=size)
    scale = 16 / max(size)
    width, height = (max(1, round(length * scale)) for length in size)
    top, left = (16 - height) // 2, (16 - width) // 2
    fitted = build("pad").fit_image(image).numpy()
    inside = fitted[:, top : top + height, left : left + width]
    assert np.abs(inside - resized(image, (width, height))).max() <= 1.01
    outside = np.ones((16, 16), dtype=bool)
    outside[top : top + height, left : left + width] = False
    assert outside.any()
    assert (fitted[:, outside] == np.array([[124], [116], [104]])).all()


def test_padding_is_zero_after_normalising() -> None:
    preprocess = build("pad")
    images = preprocess.normalize(preprocess.fit_image(draw(5, size=(40, 10)))[None])
    assert images[0, :, 0].abs().max() < 0.01


@pytest.mark.parametrize("fit", ["crop", "squash"])
def test_real_photo_agrees_with_torchvision(shared_data: Path, fit: Fit) -> None:
    image = decode_image(shared_data / "large_photos" / "in1k_n03337140_file.JPEG")
    tensor = v2.functional.pil_to_tensor(image)
    size = [224, 224] if fit == "squash" else [224]
    expected = v2.functional.center_crop(v2.functional.resize(tensor, size, antialias=True), [224, 224])
    difference = (build(fit, 224).fit_image(image).int() - expected.int()).abs().float()
    assert difference.mean() < 1.5


def test_other_size_on_demand() -> None:
    assert build("crop").fit_image(draw(1), size=20).shape == (3, 20, 20)


@pytest.mark.parametrize("size", [(61, 40), (40, 61), (500, 3), (9, 7), (16, 16)])
def test_needed_size_is_twice_what_fitting_shows(size: tuple[int, int]) -> None:
    assert build("crop").needed_size(*size) == build("squash").needed_size(*size) == (32, 32)
    assert build("crop").needed_size(*size, size=20) == (40, 40)
    white = Image.new("RGB", size, (255, 255, 255))
    shown = (build("pad").fit_image(white, size=20)[0] == 255).numpy()
    assert build("pad").needed_size(*size, size=20) == (2 * shown.any(axis=0).sum(), 2 * shown.any(axis=1).sum())


def test_normalize_agrees_with_torchvision() -> None:
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    expected = v2.Normalize(list(MEAN), list(STD))(images.float() / 255)
    for layout in (torch.contiguous_format, torch.channels_last):
        found = build("crop").normalize(images.contiguous(memory_format=layout))
        assert found.dtype == torch.float32
        assert found.is_contiguous(memory_format=layout)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_images_are_left_as_they_were() -> None:
    images = torch.full((1, 3, 4, 4), 9, dtype=torch.uint8)
    build("crop").normalize(images)
    assert (images == 9).all()


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_json_round_trip(fit: Fit) -> None:
    preprocess = build(fit, 96)
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fit": "stretch"}, "fits pictures by 'stretch'; known are crop, pad, squash"),
        (
            {"colour": "bgr"},
            r"has the settings \['colour', 'depth_range', 'fit', .*understands \['depth_range', 'fit', 'image_size'",
        ),
        ({"interpolation": "nearest"}, "resizes by 'nearest'; only 'bilinear'"),
        ({"image_size": "224"}, "image_size '224'; expected a number of pixels"),
        ({"image_size": 0}, "image_size 0; expected a number of pixels"),
        ({"mean": [0.5, 0.5]}, r"mean \[0.5, 0.5\]; expected three numbers"),
        ({"std": ["a", "b", "c"]}, "expected three numbers"),
    ],
)
def test_what_is_not_understood_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        Preprocess.from_dict({**build("crop").to_dict(), **change})


def test_missing_setting_is_refused() -> None:
    content = build("crop").to_dict()
    del content["std"]
    with pytest.raises(BundleError, match="Use the version of discern that wrote the bundle"):
        Preprocess.from_dict(content)
