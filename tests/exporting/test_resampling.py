"""The graph's resizing against Pillow's own, pixel by pixel, as onnxruntime computes it."""

import itertools

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from discern.data.reading.preprocess import Preprocess
from discern.exporting.graph import FittingGraph

SIZES = (
    *itertools.product((1, 2, 31, 32, 33), (1, 2, 31, 32, 33)),
    (40, 300),
    (300, 40),
    (95, 64),
    (96, 64),
    (97, 64),
    (98, 64),
    (64, 97),
    (333, 500),
    (500, 333),
    (501, 376),
    (3, 700),
    (700, 3),
    (1200, 1600),
)


class Fitting(FittingGraph):
    def forward(self, images):
        return self.fit(images)


@pytest.fixture(scope="module", params=["crop", "pad", "squash"])
def fitting(request):
    """A preprocessing, and its graph under onnxruntime."""
    preprocess = Preprocess(32, request.param, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    axes = {axis: torch.export.Dim(name) for axis, name in enumerate(("pictures", "height", "width"))}
    example = torch.zeros(2, 300, 260, 3, dtype=torch.uint8)
    program = torch.export.export(Fitting(preprocess), (example,), dynamic_shapes={"images": axes})
    translated = torch.onnx.export(program, input_names=["images"], opset_version=20, verbose=False)
    content = translated.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content)
    return preprocess, lambda images: session.run(None, {"images": images})[0]


def test_every_level_is_pillows_whatever_the_size(fitting):
    preprocess, fit = fitting
    rng = np.random.default_rng(0)
    for height, width in SIZES:
        noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        extremes = (rng.integers(0, 2, (height, width, 3)) * 255).astype(np.uint8)
        images = np.stack([noise, extremes])
        expected = np.stack([preprocess.fit_image(Image.fromarray(pixels)).numpy() for pixels in images])
        np.testing.assert_array_equal(fit(images), expected, err_msg=f"{height} x {width}")


def test_plain_colours_stay_what_they_are(fitting):
    _, fit = fitting
    for level in (0, 1, 254, 255):
        assert (fit(np.full((1, 77, 77, 3), level, dtype=np.uint8)) == level).all()
