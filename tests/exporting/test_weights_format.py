"""Exported weights answer alike in the networks of torchvision and timm, which do not know discern."""

import dataclasses
import json
import runpy
import sys

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from discern.data.reading.preprocess import Preprocess
from discern.errors import ExportError
from discern.exporting.certificate_file import certificate_path
from discern.exporting.description import WEIGHTS, describe_export
from discern.exporting.formats import EXPORT_FORMATS, ExportOrder
from discern.exporting.usage import save_usage
from discern.exporting.weights_format import WeightsFile
from discern.models.architecture import Architecture
from discern.models.build import build_classifier
from discern.predictor.bundle import Bundle
from discern.predictor.calibration import Calibration
from discern.workflows.export import export, verify_export
from pictures import draw_photo

NAMES = ("ant", "bee", "wasp")


def build_bundle(backbone, *, fit="squash", **options):
    """A classifier with random weights, whose calibration changes which class is the most probable."""
    torch.manual_seed(0)
    architecture = Architecture(backbone=backbone, **options)
    classifier = build_classifier(architecture, len(NAMES)).eval()
    return Bundle(
        classifier=classifier,
        architecture=architecture,
        class_names=NAMES,
        preprocess=Preprocess(32, fit, classifier.backbone.mean, classifier.backbone.std),
        max_pixels=10**6,
        calibration=Calibration(temperature=0.5, scales=(3.0, 0.5, 1.0), biases=(-1.0, 0.2, 0.1)),
    )


def write(bundle, folder, name="state-dict"):
    export_format = EXPORT_FORMATS[name]
    file = folder / f"insects{export_format.suffix}"
    metadata = describe_export(bundle, "fp32", "abc", WEIGHTS)
    export_format.write(ExportOrder(bundle, "fp32", metadata, ()), file)
    return file


def build_torchvision(hidden):
    network = torchvision.models.resnet18(num_classes=3)
    if hidden:
        network.fc = nn.Sequential(nn.Linear(512, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, 3))
    return network


def build_timm(hidden):
    network = timm.create_model("convnext_atto", num_classes=3)
    if hidden:
        network.head.fc = nn.Sequential(nn.Linear(320, 24), nn.ReLU(), nn.Dropout(0.5), nn.Linear(24, 3))
    return network


@pytest.mark.parametrize(
    ("backbone", "name", "build", "last"),
    [
        ("resnet18", "state-dict", build_torchvision, "fc"),
        ("resnet18", "pth", build_torchvision, "fc.3"),
        ("timm:convnext_atto", "pth", build_timm, "head.fc"),
        ("timm:convnext_atto", "state-dict", build_timm, "head.fc.3"),
    ],
)
def test_other_libraries_load_the_weights_strictly_and_answer_alike(
    tmp_path, predict_alike, backbone, name, build, last
):
    has_hidden = last.endswith(".3")
    head = {"head": "mlp", "hidden_features": (24,), "dropout": 0.5} if has_hidden else {}
    bundle = build_bundle(backbone, **head)
    file = write(bundle, tmp_path, name)
    tensors = load_file(file) if name == "state-dict" else torch.load(file, weights_only=True)
    assert type(tensors) is dict
    assert tensors[f"{last}.weight"].shape[0] == 3
    network = build(has_hidden).eval()
    network.load_state_dict(tensors, strict=True)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    with torch.inference_mode():
        logits = network(bundle.preprocess.normalize(torch.from_numpy(images).permute(0, 3, 1, 2)))
    np.testing.assert_allclose(logits.softmax(dim=1), predict_alike(bundle, images), atol=1e-5)


@pytest.mark.parametrize("fit", ["squash", "crop", "pad"])
def test_the_example_prepares_pictures_as_the_classifier_does(tmp_path, fit):
    bundle = build_bundle("resnet18", fit=fit)
    file = write(bundle, tmp_path, "pth")
    save_usage(file)
    facts = json.loads((tmp_path / "insects.pth.json").read_text())
    assert facts["class_names"] == list(NAMES)
    assert facts["preprocessing"]["fit"] == fit
    assert facts["calibration"]["where"] == "inside the last layer"
    picture = tmp_path / "picture.png"
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (41, 70, 3), dtype=np.uint8))
    image.save(picture)
    example = runpy.run_path(str(tmp_path / "insects.pth.py"))
    expected = bundle.preprocess.normalize(bundle.preprocess.fit_image(image)[None])[0]
    torch.testing.assert_close(example["prepare"](picture), expected, atol=1e-5, rtol=0)
    assert isinstance(example["network"], torchvision.models.ResNet)


@pytest.mark.parametrize("export_format", ["state-dict", "pth"])
def test_a_run_is_exported_with_all_that_is_needed_beside_it(
    trained_run, few_photos, tmp_path, capsys, monkeypatch, export_format
):
    from discern.predictor.load import load

    suffix = EXPORT_FORMATS[export_format].suffix
    file = export(trained_run, export_format=export_format, out=tmp_path / f"colours{suffix}", data=few_photos)
    beside = {file, certificate_path(file), *(tmp_path / f"{file.name}{end}" for end in (".json", ".py"))}
    assert set(tmp_path.iterdir()) == beside
    assert verify_export(trained_run, file, data=few_photos).same_pixels.largest_probability_difference < 1e-5
    capsys.readouterr()
    picture = tmp_path / "red.png"
    draw_photo((200, 50, 40), 700).save(picture)
    monkeypatch.setattr(sys, "argv", ["example", str(picture)])
    runpy.run_path(f"{file}.py", run_name="__main__")
    answer = load(trained_run).predict(picture).iloc[0]
    name, confidence = capsys.readouterr().out.removeprefix(f"{picture}: ").split()
    assert name == answer["label"]
    assert float(confidence) == pytest.approx(answer["confidence"], abs=2e-3)


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ("custom", "torchvision and timm have no network 'custom'; export it to onnx or torch"),
        ("timm:deit_tiny_distilled_patch16_224", "is not one linear layer; export it to onnx or torch"),
    ],
)
def test_networks_that_others_do_not_have_are_refused(tmp_path, backbone, message):
    bundle = dataclasses.replace(build_bundle("resnet18"), architecture=Architecture(backbone=backbone))
    with pytest.raises(ExportError, match=message):
        write(bundle, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_and_damaged_ones_are_told_apart(tmp_path):
    file = tmp_path / "theirs.pth"
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), file)
    with pytest.raises(ExportError, match="was not made by discern export"):
        WeightsFile(file, 1)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ExportError, match=r"theirs\.pth cannot be read: .*no whole PyTorch file"):
        WeightsFile(file, 1)
