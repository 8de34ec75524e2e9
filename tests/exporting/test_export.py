import json
import shutil
import sys

import numpy as np
import onnx
import pytest

from discern.errors import BadImagesError, ConfigError, ExportError
from discern.exporting.certificate_file import certificate_path, load_certificate
from discern.exporting.onnx_format import OnnxFile
from discern.files import compute_sha256
from discern.workflows.export import export, verify_export
from pictures import draw_photos


@pytest.fixture
def copied(exported_onnx, tmp_path):
    """A copy of the exported file and its certificate, to change."""
    for file in (exported_onnx, certificate_path(exported_onnx)):
        shutil.copy(file, tmp_path)
    return tmp_path / exported_onnx.name


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def change_weights(path):
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if "head" in tensor.name:
            values = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(-values, tensor.name))
    onnx.save(model, path)


def test_the_certificate_holds_what_was_measured(exported_onnx):
    content = json.loads(certificate_path(exported_onnx).read_text())
    assert content["format"] == "discern-export-certificate"
    assert content["pictures"] == {"validation": 6, "test": 6, "train": 24}
    assert content["same_pixels"]["count"] == 36
    assert content["same_pixels"]["label_agreement"] == 1
    assert content["same_pixels"]["largest_probability_difference"] < 1e-4
    assert content["from_files"]["label_agreement"] == 1
    assert content["accuracy"]["count"] == 6
    assert content["accuracy"]["split"] == "validation"
    assert content["size_bytes"] == exported_onnx.stat().st_size
    assert content["sha256"] == compute_sha256(exported_onnx)
    assert content["latency"]["exported_batch_seconds"] > 0
    assert json.loads(json.dumps(load_certificate(exported_onnx).to_dict())) == content


def test_what_answers_differently_leaves_no_file(trained_run, translated, tmp_path, monkeypatch):
    answer = OnnxFile.predict
    monkeypatch.setattr(OnnxFile, "predict", lambda self, images: np.roll(answer(self, images), 1, axis=1))
    with pytest.raises(ExportError, match=r"only 0.0 % of the labels agree on the same pixels") as caught:
        export(trained_run, out=tmp_path / "file.onnx")
    assert str(caught.value).startswith(f"{tmp_path / 'file.onnx'} was not written, since it does not answer as")
    assert files_in(tmp_path) == []


def test_a_refused_file_leaves_the_old_one(trained_run, translated, copied, monkeypatch):
    before = {name: (copied.parent / name).read_bytes() for name in files_in(copied.parent)}
    monkeypatch.setattr(OnnxFile, "predict", lambda self, images: np.full((len(images), 3), 1 / 3, np.float32))
    with pytest.raises(ExportError, match="was not written"):
        export(trained_run, out=copied)
    assert {name: (copied.parent / name).read_bytes() for name in files_in(copied.parent)} == before


def test_eight_bits_are_measured_by_accuracy(trained_run, translated, tmp_path, monkeypatch):
    path = export(trained_run, precision="int8", out=tmp_path / "file.onnx")
    nodes = [node.op_type for node in onnx.load(path).graph.node]
    assert "QuantizeLinear" in nodes
    metadata = OnnxFile(path, 1).metadata
    assert metadata["precision"] == "int8"
    assert json.loads(metadata["class_names"]) == ["blue", "green", "red"]
    assert json.loads(certificate_path(path).read_text())["accuracy"]["exported"] >= 0.99

    answer, changed = OnnxFile.predict, []

    def err_once(self, images):
        changed.append(images)
        return np.roll(answer(self, images), 1, axis=1) if len(changed) == 1 else answer(self, images)

    monkeypatch.setattr(OnnxFile, "predict", err_once)
    with pytest.raises(ExportError, match=r"accuracy on 6 validation pictures falls from 100.0 % to 83.3 %"):
        verify_export(trained_run, path)


@pytest.mark.parametrize("export_format", ["onnx", "torch"])
def test_half_precision_takes_half_the_space(
    trained_run, exported_onnx, exported_half, few_photos, tmp_path, export_format
):
    path = exported_half
    if export_format == "torch":
        path = export(trained_run, export_format="torch", precision="fp16", out=tmp_path / "file.pt2", data=few_photos)
    assert path.stat().st_size < 0.65 * exported_onnx.stat().st_size
    certificate = verify_export(trained_run, path, data=few_photos)
    assert (certificate.export_format, certificate.precision) == (export_format, "fp16")
    assert certificate.same_pixels.label_agreement == 1
    assert 0 < certificate.same_pixels.largest_probability_difference < 0.01


def test_verifying_repeats_the_certificate(trained_run, copied):
    certificate_path(copied).unlink()
    certificate = verify_export(trained_run, copied)
    assert certificate.same_pixels.label_agreement == 1
    assert json.loads(certificate_path(copied).read_text())["sha256"] == certificate.sha256


def test_a_changed_file_is_found_by_its_checksum_and_by_its_answers(trained_run, copied):
    change_weights(copied)
    with pytest.raises(ExportError, match="was changed after its certificate was issued"):
        verify_export(trained_run, copied)
    certificate_path(copied).unlink()
    with pytest.raises(ExportError, match="must not be used, since it does not answer as the classifier does"):
        verify_export(trained_run, copied)
    assert not certificate_path(copied).exists()


def test_a_damaged_file_is_reported(trained_run, copied):
    copied.write_bytes(copied.read_bytes()[:1000])
    certificate_path(copied).unlink()
    with pytest.raises(ExportError, match="cannot be read as ONNX"):
        verify_export(trained_run, copied)


def test_the_file_of_another_run_is_refused(copied, make_bundle, photos):
    from discern.predictor.bundle import load_bundle

    folder = make_bundle()
    bundle = load_bundle(folder)
    names = make_bundle(class_names=("blue", "green", "rot"))
    with pytest.raises(ExportError, match="give the run that it was exported from"):
        verify_export(names, copied, data=_rename(photos, copied.parent))
    for parameter in bundle.classifier.head.parameters():
        parameter.data.add_(1)
    other = make_bundle(classifier=bundle.classifier)
    with pytest.raises(ExportError, match="was exported from other weights"):
        verify_export(other, copied, data=photos)


def _rename(photos, folder):
    shutil.copytree(photos, folder / "photos")
    (folder / "photos" / "red").rename(folder / "photos" / "rot")
    return folder / "photos"


def test_pictures_that_are_gone_are_reported_and_others_can_be_given(trained_run, copied, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    text = (run / "split.csv").read_text()
    lines = text.splitlines()
    path = lines[1].split(",")[1]
    (run / "split.csv").write_text(text.replace(path, f"{path}.gone"))
    with pytest.raises(BadImagesError, match="labelled pictures with data="):
        verify_export(run, copied)
    (run / "split.csv").write_text("\n".join([lines[0], *(line.replace(".png,", ".gone,") for line in lines[1:])]))
    with pytest.raises(ExportError, match=r"none of the 36 pictures of .*split.csv is in .* any more; .*data=..."):
        verify_export(run, copied)
    (run / "split.csv").unlink()
    with pytest.raises(ExportError, match=r"has no split.csv.*data=..."):
        verify_export(run, copied)
    others = draw_photos(tmp_path / "others", per_class=4, first_seed=500)
    assert verify_export(run, copied, data=others).pictures == {"validation": 12}


def test_pictures_that_were_moved_are_those_of_the_run(trained_run, photos, copied, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    environment = json.loads((run / "environment.json").read_text())
    environment["data"]["root"] = str(tmp_path / "gone")
    (run / "environment.json").write_text(json.dumps(environment))
    assert verify_export(run, copied, data=photos).pictures == {"validation": 6, "test": 6, "train": 24}


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_what_to_install(trained_run, tmp_path, request, monkeypatch, package):
    if package == "onnxruntime":
        request.getfixturevalue("translated")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExportError, match=rf"needs the package {package}.*pip install 'discern-vision\[export\]'"):
        export(trained_run, out=tmp_path / "file.onnx")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (
            {"export_format": "onyx"},
            ConfigError,
            "no export format 'onyx': did you mean onnx.*torch, html, state-dict, pth",
        ),
        (
            {"export_format": "litert"},
            ConfigError,
            "litert is not written by discern: there are onnx, torch, html, state-dict, pth;",
        ),
        ({"export_format": "openvino"}, ConfigError, "OpenVINO reads ONNX files: export to onnx"),
        ({"precision": "int4"}, ExportError, "has no precision 'int4'; it has fp32, fp16, int8"),
        ({"export_format": "torch", "precision": "int8"}, ExportError, "torch has no precision 'int8'"),
        ({"runtime": "x.tgz"}, ConfigError, "runtime=... is for the format html, and this is onnx"),
        ({"export_format": "torch", "out": "x.onnx"}, ConfigError, "ends in .pt2"),
    ],
)
def test_wrong_wishes_are_answered_with_what_there_is(trained_run, tmp_path, arguments, error, text):
    if "out" in arguments:
        arguments = {**arguments, "out": tmp_path / arguments["out"]}
    with pytest.raises(error, match=text):
        export(trained_run, **arguments)


def test_paths_may_be_text(trained_run, translated, few_photos, tmp_path):
    file = export(str(trained_run), out=str(tmp_path / "file.onnx"), data=str(few_photos), verbose=False)
    assert file == tmp_path / "file.onnx"
    assert verify_export(str(trained_run), str(file), data=str(few_photos), verbose=False).pictures == {"validation": 6}


def test_a_damaged_certificate_is_reported(trained_run, copied):
    certificate_path(copied).write_text('{"sha256": 5}')
    with pytest.raises(ExportError, match="is damaged; remove it to have the file measured again"):
        verify_export(trained_run, copied)
