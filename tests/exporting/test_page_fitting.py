"""The page's own resizing against Pillow's, level by level, in a real browser."""

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from discern.data.reading.preprocess import Preprocess
from discern.exporting.joining import join_modules

SIZES = [
    (1, 1),
    (1, 40),
    (40, 1),
    (32, 32),
    (31, 33),
    (33, 32),
    (64, 64),
    (65, 47),
    (47, 65),
    (200, 7),
    (7, 200),
    (5, 3),
    (300, 201),
    (201, 300),
    (90, 401),
    (33, 400),
    (500, 333),
]
FIT = """async ([data, width, height, preprocess]) => {
  const picture = { data: Uint8ClampedArray.from(data), width, height };
  return [...window.fitPicture(picture, preprocess)];
}"""


@pytest.fixture(scope="module")
def page(browser):
    opened = browser.new_page()
    opened.set_content(
        f"<script>{join_modules('fitting.js', files('discern.exporting') / 'page')}\n"
        "window.fitPicture = fitPicture;</script>"
    )
    return opened


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_every_level_is_that_of_pillow(page, fit):
    rng = np.random.default_rng(0)
    preprocess = Preprocess(32, fit, (0.3, 0.5, 0.1), (0.2, 0.2, 0.2))
    settings = {"image_size": 32, "fit": fit, "fill": [round(255 * value) for value in preprocess.mean]}
    for width, height in SIZES:
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        opaque = np.dstack([image, np.full((height, width), 255, np.uint8)])
        ours = preprocess.fit_image(Image.fromarray(image)).permute(1, 2, 0).numpy()
        theirs = np.array(page.evaluate(FIT, [opaque.ravel().tolist(), width, height, settings]), dtype=np.uint8)
        np.testing.assert_array_equal(theirs.reshape(32, 32, 3), ours, err_msg=f"{width} x {height}")
