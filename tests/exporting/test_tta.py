"""Exported files that answer with the mean over several views of a picture."""

import dataclasses
import logging

import numpy as np
import onnx
import pytest

from discern.errors import ExportError
from discern.exporting.certificate_file import certificate_path, load_certificate
from discern.exporting.graph import ExportGraph
from discern.exporting.onnx_format import OnnxFile, build_onnx, save_onnx
from discern.exporting.torch_format import TorchFile
from discern.predictor.bundle import load_bundle
from discern.predictor.calibration import Calibration
from discern.workflows.export import export, verify_export


@pytest.fixture
def viewed_run(trained_run, make_bundle):
    """Return the folder of a bundle like the trained run's, which answers with other views and is not sure."""

    def make(tta):
        return make_bundle(tta=tta, calibration=Calibration(temperature=4.0))

    return make


def test_views_are_inside_an_onnx_file(viewed_run, trained_run, tmp_path, predict_alike):
    bundle = load_bundle(viewed_run("five"))
    save_onnx(build_onnx(ExportGraph(bundle), {}), tmp_path / "file.onnx")
    exported, rng = OnnxFile(tmp_path / "file.onnx", 1), np.random.default_rng(0)
    for shape in ((3, 40, 40), (1, 97, 33)):
        images = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        np.testing.assert_allclose(exported.predict(images), predict_alike(bundle, images), atol=1e-5)
        plain = predict_alike(dataclasses.replace(bundle, tta="none"), images)
        assert np.abs(exported.predict(images) - plain).max() > 1e-4


def test_a_file_has_the_views_of_its_run_and_is_proven_with_them(viewed_run, few_photos, tmp_path, caplog):
    run = viewed_run("flip")
    with caplog.at_level(logging.INFO, "discern"):
        path = export(run, export_format="torch", out=tmp_path / "file.pt2", data=few_photos)
    certificate = load_certificate(path)
    assert (certificate.tta, TorchFile(path, 1).metadata["tta"]) == ("flip", "flip")
    assert certificate.same_pixels.largest_probability_difference < 1e-4
    assert "torch fp32, tta=flip, " in caplog.text
    assert "what is promised" not in caplog.text
    # A run of other views verifies it by those of the file.
    assert verify_export(viewed_run("none"), path, data=few_photos).tta == "flip"


def test_other_views_than_those_of_the_run_can_be_asked_for(viewed_run, few_photos, tmp_path, caplog):
    run = viewed_run("flip")
    path = export(run, export_format="torch", tta="none", out=tmp_path / "plain.pt2", data=few_photos)
    assert "answers with tta=none: the calibration of confidences, and what is promised" in caplog.text
    assert load_certificate(path).tta == "none"
    weights = export(run, export_format="pth", tta="none", out=tmp_path / "weights.pth", data=few_photos)
    assert load_certificate(weights).tta == "none"


def test_a_file_with_other_views_than_it_says_is_refused(viewed_run, few_photos, tmp_path, monkeypatch):
    run = viewed_run("flip")
    monkeypatch.setattr("discern.exporting.graph.build_views", lambda images, tta: [images])
    with pytest.raises(ExportError, match="was not written, since it does not answer as the classifier does"):
        export(run, export_format="torch", out=tmp_path / "file.pt2", data=few_photos)
    assert list(tmp_path.glob("*.pt2")) == []


def test_a_file_that_states_no_views_has_none(trained_run, exported_onnx, few_photos, tmp_path):
    model = onnx.load(exported_onnx)
    for entry in [entry for entry in model.metadata_props if entry.key == "tta"]:
        assert entry.value == "none"
        model.metadata_props.remove(entry)
    onnx.save(model, tmp_path / "old.onnx")
    assert verify_export(trained_run, tmp_path / "old.onnx", data=few_photos).tta == "none"
    assert certificate_path(tmp_path / "old.onnx").is_file()


@pytest.mark.parametrize("export_format", ["state-dict", "pth"])
def test_weights_alone_have_no_views(trained_run, tmp_path, export_format):
    with pytest.raises(ExportError) as caught:
        export(trained_run, export_format=export_format, tta="five", out=tmp_path / f"file{_end(export_format)}")
    assert str(caught.value) == (
        f"the classifier answers with the mean over 5 views (tta=five), and the format {export_format} has weights "
        'alone; export it to onnx or torch, or without the views by tta="none"'
    )


def _end(export_format):
    return {"state-dict": ".safetensors", "pth": ".pth"}[export_format]
