import numpy as np
import pytest
from PIL import Image, ImageDraw

from discern.data.reading.preprocess import Preprocess
from discern.explanation.overlay import overlay_map
from discern.explanation.placing import fade_unseen, place_on_picture

SIZES = [(200, 120), (90, 150), (160, 160), (301, 77)]


def build(fit, side=64):
    return Preprocess(side, fit, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("size", SIZES)
def test_a_spot_is_put_back_where_it_was(fit, size):
    """The picture itself, fitted to the square, stands for its map."""
    width, height = size
    center = (0.45 * width, 0.6 * height)
    picture = Image.new("RGB", size)
    radius = min(size) / 8
    box = [center[0] - radius, center[1] - radius, center[0] + radius, center[1] + radius]
    ImageDraw.Draw(picture).ellipse(box, fill="white")
    values = build(fit).fit_image(picture)[0].numpy().astype(np.float32) / 255
    placed = place_on_picture(values, size, build(fit))
    assert placed.shape == (height, width)
    assert placed.dtype == np.float32
    original = np.asarray(picture)[..., 0] / 255
    assert np.abs(placed - original).mean() < 0.03
    rows, columns = np.indices(placed.shape) + 0.5
    found = np.array([(columns * placed).sum(), (rows * placed).sum()]) / placed.sum()
    wanted = np.array([(columns * original).sum(), (rows * original).sum()]) / original.sum()
    # A pixel of the square is up to five of the picture.
    np.testing.assert_allclose(found, wanted, atol=0.25 * max(size) / 64)


@pytest.mark.parametrize("size", SIZES)
def test_a_map_covers_what_was_seen_and_nothing_else(size):
    ones = np.ones((64, 64), dtype=np.float32)
    for fit in ("pad", "squash"):
        assert (place_on_picture(ones, size, build(fit)) == 1).all()
    placed = place_on_picture(ones, size, build("crop"))
    shorter = min(size)
    assert placed.sum() == pytest.approx(shorter**2, rel=2 / shorter)
    assert placed[size[1] // 2, size[0] // 2] == 1
    assert set(np.unique(placed)) <= {0, 1}


def test_padding_is_left_out():
    values = np.zeros((64, 64), dtype=np.float32)
    values[:16] = values[48:] = 1
    assert not place_on_picture(values, (200, 100), build("pad")).any()


def test_what_was_cropped_away_is_faded():
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    faded = fade_unseen(image, build("crop"))
    assert not faded[:, 50:150].any()
    assert (faded[:, :50] == 170).all()
    assert (faded[:, 150:] == 170).all()
    assert (fade_unseen(image, build("pad")) == image).all()


def test_without_evidence_the_picture_is_shown_in_grey():
    image = np.random.default_rng(0).integers(0, 256, (10, 20, 3), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(image).convert("L").convert("RGB"))
    assert np.array_equal(overlay_map(image, np.zeros((10, 20))), grey)


def test_more_evidence_is_lighter_and_the_picture_shines_through():
    strengths = np.linspace(0, 1, 11)[None]
    dark, light = (overlay_map(np.full((1, 11, 3), level, np.uint8), strengths)[0] for level in (0, 255))
    lightness = np.asarray(Image.fromarray(dark[None]).convert("L"), dtype=int)[0]
    assert (np.diff(lightness) > 0).all()
    assert (light.astype(int) - dark >= 0.3 * 255).all()


def test_a_map_of_another_size_is_stretched():
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    drawn = overlay_map(image, np.array([[0.0, 1.0], [0.0, 0.0]]))
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert drawn[:10, 50:].min() > drawn[30:, :30].max()
