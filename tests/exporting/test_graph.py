import json
import zipfile

import numpy as np
import pytest
import torch

import discern
from discern.errors import ExportError
from discern.exporting.description import describe_export
from discern.exporting.graph import ExportGraph
from discern.exporting.onnx_format import OnnxFile, build_onnx, save_onnx
from discern.exporting.torch_format import TorchFile, save_torch
from discern.predictor.bundle import load_bundle
from discern.predictor.calibration import Calibration


@pytest.fixture
def pictures():
    """Batches of pictures of several sizes, one of them of one picture."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in ((3, 40, 40), (1, 97, 33), (2, 20, 75))]


@pytest.fixture(scope="module")
def exported_pt2(trained_run, tmp_path_factory):
    """The trained run as a .pt2 file; tests must not change it."""
    bundle, path = load_bundle(trained_run), tmp_path_factory.mktemp("pt2") / "file.pt2"
    save_torch(ExportGraph(bundle), describe_export(bundle, "fp32", "abc"), path)
    return path


def test_one_file_answers_any_number_of_pictures_of_any_size(exported_onnx, trained_run, pictures, predict_alike):
    exported, bundle = OnnxFile(exported_onnx, 1), load_bundle(trained_run)
    for images in pictures:
        np.testing.assert_allclose(exported.predict(images), predict_alike(bundle, images), atol=1e-5)


def test_a_network_of_timm_and_scales_and_biases_of_classes_are_exported_alike(
    pictures, trained_run, tmp_path, predict_alike
):
    import dataclasses

    from discern.models.architecture import Architecture
    from discern.models.build import build_classifier

    architecture = Architecture(backbone="timm:test_vit")
    torch.manual_seed(0)
    plain = load_bundle(trained_run)
    preprocess = dataclasses.replace(plain.preprocess, image_size=160)
    classifier = build_classifier(architecture, 3).eval()
    calibration = Calibration(temperature=0.7, scales=(0.5, 1.5, 1.0), biases=(1.0, -0.5, 0.25))
    bundle = dataclasses.replace(
        plain, classifier=classifier, architecture=architecture, preprocess=preprocess, calibration=calibration
    )
    save_onnx(build_onnx(ExportGraph(bundle), {}), tmp_path / "file.onnx")
    exported = OnnxFile(tmp_path / "file.onnx", 1)
    for images in pictures:
        np.testing.assert_allclose(exported.predict(images), predict_alike(bundle, images), atol=1e-5)


def test_a_file_says_of_itself_what_its_user_must_know(exported_onnx, trained_run):
    metadata = OnnxFile(exported_onnx, 1).metadata
    assert json.loads(metadata["class_names"]) == ["blue", "green", "red"]
    assert json.loads(metadata["preprocessing"])["image_size"] == 32
    assert "EXIF" in json.loads(metadata["decode_rules"])["orientation"]
    assert json.loads(metadata["calibration"])["temperature"] > 0
    assert metadata["precision"] == "fp32"
    assert metadata["input"].startswith("images: uint8 (N, H, W, 3)")
    assert metadata["discern_version"] == discern.__version__
    assert b"discern/export" not in exported_onnx.read_bytes()


def test_an_onnx_file_names_its_axes(exported_onnx):
    import onnx

    model = onnx.load(exported_onnx)
    (images,) = model.graph.input
    assert [axis.dim_param or axis.dim_value for axis in images.type.tensor_type.shape.dim] == [
        "pictures",
        "height",
        "width",
        3,
    ]
    assert [output.name for output in model.graph.output] == ["probabilities", "logits"]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    onnx.checker.check_model(model)


def test_a_pt2_file_answers_alike_and_keeps_nothing_pickled(exported_pt2, trained_run, pictures, predict_alike):
    exported, bundle = TorchFile(exported_pt2, 1), load_bundle(trained_run)
    for images in pictures:
        np.testing.assert_allclose(exported.predict(images), predict_alike(bundle, images), atol=1e-5)
    assert exported.metadata["weights_sha256"] == "abc"
    with zipfile.ZipFile(exported_pt2) as archive:
        config = json.loads(archive.read(next(n for n in archive.namelist() if "weights_config" in n)))["config"]
        assert not any(entry["use_pickle"] for entry in config.values())
        model = next(name for name in archive.namelist() if name.endswith("models/model.json"))
        assert "src/discern" not in archive.read(model).decode()


def test_a_pickled_part_of_a_pt2_file_is_never_loaded(exported_pt2, tmp_path):
    harmful = tmp_path / "harmful.pt2"
    with zipfile.ZipFile(exported_pt2) as source, zipfile.ZipFile(harmful, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("weights_config.json"):
                content = content.replace(b'"use_pickle": false', b'"use_pickle": true')
            target.writestr(name, content)
    with pytest.raises(ExportError, match="holds pickled parts, which are never loaded"):
        TorchFile(harmful, 1)
