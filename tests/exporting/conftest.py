import dataclasses
import sys
from pathlib import Path

import onnx
import pytest

from discern.predictor.bundle import load_bundle, save_bundle
from pictures import draw_photos


@pytest.fixture(scope="session", autouse=True)
def _few_timings():
    """No test depends on times, and a CPU without float16 takes twenty times as long for it."""
    from discern.exporting import measurement

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "REPEATS", 1)
        patch.setattr(measurement, "BATCH_SIZE", 2)
        yield


@pytest.fixture(scope="session")
def exported_onnx(trained_run, tmp_path_factory):
    """The trained run as an ONNX file with its certificate; tests must not change it."""
    from discern.workflows.export import export

    return export(trained_run, out=tmp_path_factory.mktemp("exported") / "colours.onnx")


@pytest.fixture(scope="session")
def few_photos(tmp_path_factory):
    """Six pictures, where computing takes long."""
    return draw_photos(tmp_path_factory.mktemp("few"), per_class=2, first_seed=900)


@pytest.fixture(scope="session")
def exported_half(trained_run, few_photos, tmp_path_factory):
    """The trained run as an ONNX file in fp16; tests must not change it."""
    from discern.workflows.export import export

    out = tmp_path_factory.mktemp("exported") / "half.onnx"
    return export(trained_run, precision="fp16", out=out, data=few_photos)


@pytest.fixture
def translated(exported_onnx, monkeypatch):
    """Spare the translation of the trained run in fp32 to ONNX, which takes seconds and is always the same."""
    monkeypatch.setattr("discern.exporting.onnx_format.build_onnx", _load(exported_onnx))


@pytest.fixture(scope="session")
def web_runtime():
    """What pages compute with, kept in the home of the tests."""
    from discern.exporting.web_runtime import NAME, VERSION, keep_web_runtime

    archive = Path(sys.prefix) / f"onnxruntime-web-{VERSION}.tgz"
    if not archive.is_file():
        pytest.skip(f"needs {NAME}: npm pack --pack-destination {sys.prefix} onnxruntime-web@{VERSION}")
    return keep_web_runtime(archive)


@pytest.fixture
def make_bundle(trained_run, tmp_path):
    """Write a bundle like the trained run's, with some parts replaced, and return its folder."""

    def make(**parts):
        folder = tmp_path / "changed" / "bundle"
        save_bundle(dataclasses.replace(load_bundle(trained_run), **parts), folder)
        return folder

    return make


@pytest.fixture(scope="session")
def predict_alike():
    """Return the probabilities of discern itself, in fp32, for images (N, H, W, 3)."""
    from discern.data.sources.inputs import load_inputs
    from discern.predictor.predictor import Predictor
    from discern.runtime import choose_runtime

    def predict(bundle, images):
        predictor = Predictor(bundle, choose_runtime(device="cpu", precision="fp32", threads=1))
        return predictor.predict_probabilities(load_inputs(images))

    return predict


@pytest.fixture(scope="session")
def example() -> Path:
    return Path(__file__).resolve().parents[2] / "examples" / "onnx_predict.py"


def _load(path: Path):
    """Return what stands in for `build_onnx`: the network of a file, with the metadata that is asked for."""

    def load(graph, metadata):
        model = onnx.load(path)
        onnx.helper.set_model_props(model, dict(metadata))
        return model

    return load
