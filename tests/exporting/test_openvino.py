"""OpenVINO's two files: they answer alike from the first picture on, say what they are, and belong together."""

import json
import shutil
import sys

import numpy as np
import openvino
import pytest

from discern.errors import ExportError
from discern.exporting.openvino_format import OpenVinoFile
from discern.files import compute_sha256
from discern.predictor.bundle import load_bundle
from discern.workflows.export import certificate_path, export, verify_export


@pytest.fixture
def copied(exported_openvino, tmp_path):
    """A copy of the files and their certificate, to change."""
    for file in (exported_openvino, exported_openvino.with_suffix(".bin"), certificate_path(exported_openvino)):
        shutil.copy(file, tmp_path)
    return tmp_path / exported_openvino.name


def test_both_files_are_in_the_certificate(exported_openvino):
    weights = exported_openvino.with_suffix(".bin")
    assert sorted(path.name for path in exported_openvino.parent.iterdir()) == [
        "colours.bin",
        "colours.xml",
        "colours.xml.certificate.json",
    ]
    content = json.loads(certificate_path(exported_openvino).read_text())
    assert content["sha256"] == compute_sha256(exported_openvino)
    assert content["companions"] == {".bin": compute_sha256(weights)}
    assert content["size_bytes"] == exported_openvino.stat().st_size + weights.stat().st_size
    assert content["same_pixels"]["label_agreement"] == 1
    assert content["same_pixels"]["largest_probability_difference"] < 1e-4
    assert content["runtime"] == f"openvino {openvino.__version__.split('-')[0]}, computing in f32"


def test_every_call_answers_alike_whatever_came_before(exported_openvino, trained_run, predict_alike):
    rng = np.random.default_rng(0)
    model = openvino.Core().read_model(exported_openvino)
    compile_with = json.loads(model.get_rt_info(["discern", "compile_with"]).astype(str))
    compiled = openvino.compile_model(model, "CPU", compile_with)
    for shape in ((3, 40, 40), (1, 97, 33), (2, 20, 75), (2, 33, 97), (1, 40, 40)):
        images = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        answer = compiled({"images": images})["probabilities"]
        np.testing.assert_allclose(answer, predict_alike(load_bundle(trained_run), images), atol=1e-5)


def test_a_consumer_finds_the_classes_in_the_file(exported_openvino):
    model = openvino.Core().read_model(exported_openvino)
    assert json.loads(model.get_rt_info(["discern", "class_names"]).astype(str)) == ["blue", "green", "red"]
    assert OpenVinoFile(exported_openvino, 1).metadata["precision"] == "fp32"


def test_half_precision_takes_half_the_space(trained_run, exported_openvino, translated_half, tmp_path):
    path = export(trained_run, export_format="openvino", precision="fp16", out=tmp_path / "file.xml")
    weights = path.with_suffix(".bin").stat().st_size
    assert weights < 0.55 * exported_openvino.with_suffix(".bin").stat().st_size
    assert json.loads(certificate_path(path).read_text())["precision"] == "fp16"


def test_what_answers_differently_leaves_no_file(trained_run, translated, tmp_path, monkeypatch):
    answer = OpenVinoFile.predict
    monkeypatch.setattr(OpenVinoFile, "predict", lambda self, images: np.roll(answer(self, images), 1, axis=1))
    with pytest.raises(ExportError, match=r"only 0.0 % of the labels agree on the same pixels"):
        export(trained_run, export_format="openvino", out=tmp_path / "file.xml")
    assert list(tmp_path.iterdir()) == []


def test_verifying_wants_both_files_as_they_were(trained_run, copied):
    certificate_path(copied).unlink()
    assert verify_export(trained_run, copied).same_pixels.label_agreement == 1
    weights = copied.with_suffix(".bin")
    content = weights.read_bytes()
    weights.write_bytes(bytes(8) + content[8:])
    with pytest.raises(ExportError, match=r"colours.bin was changed after its certificate was issued"):
        verify_export(trained_run, copied)
    weights.unlink()
    with pytest.raises(ExportError, match=r"colours.xml needs colours.bin beside it"):
        verify_export(trained_run, copied)
    weights.write_bytes(content)
    certificate_path(copied).unlink()
    copied.write_bytes(copied.read_bytes()[:1000])
    with pytest.raises(ExportError, match="cannot be read by OpenVINO"):
        verify_export(trained_run, copied)


def test_the_missing_package_is_named_with_what_to_install(exported_openvino, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ExportError, match=r"needs the package openvino.*pip install 'discern\[openvino\]'"):
        OpenVinoFile(exported_openvino, 1)
