"""The contract of every export format that is registered, with a network that a user has written.

Weights alone are read by those who have the network: such formats are tried with one of ours.
"""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from discern.errors import ConfigError, ExportError
from discern.exporting.description import GRAPH, describe_export
from discern.exporting.formats import (
    EXPORT_FORMATS,
    ExportOrder,
    find_format_of,
    has_format,
    register_export_format,
)
from discern.models.backbone import Backbone, BackboneFacts
from discern.models.classifier import Classifier
from discern.predictor.bundle import load_bundle

TOLERANCE = {"fp32": 1e-5, "fp16": 0.01, "int8": 0.1}


class UserBackbone(Backbone):
    """A network that no architecture describes."""

    def __init__(self):
        layers = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 16, 3))
        super().__init__("mine", layers, BackboneFacts(), num_features=16)

    def forward(self, images):
        return self.pool_map(self.forward_map(images))

    def forward_map(self, images):
        return self.network(images)

    def pool_map(self, maps):
        return maps.mean(dim=(2, 3))

    def stages(self):
        return {"stem": ("network",)}

    def parameter_depths(self):
        return {name: 0 for name, _ in self.named_parameters()}


@pytest.fixture(scope="module")
def get_bundle(trained_run):
    torch.manual_seed(0)
    ours = load_bundle(trained_run)
    classifier = Classifier(UserBackbone(), nn.Linear(16, 3)).eval()
    users = dataclasses.replace(ours, classifier=classifier, architecture=None)
    return lambda export_format: users if export_format.interface is GRAPH else ours


def list_variants():
    return [(name, precision) for name, found in EXPORT_FORMATS.items() for precision in found.precisions]


@pytest.mark.parametrize(("name", "precision"), list_variants())
def test_each_format_answers_alike_in_each_of_its_precisions(
    get_bundle, predict_alike, tmp_path, name, precision, request
):
    if name == "html":
        request.getfixturevalue("web_runtime")
        request.getfixturevalue("browser")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (30, 50, 3), dtype=np.uint8) for _ in range(8)]
    export_format = EXPORT_FORMATS[name]
    bundle = get_bundle(export_format)
    metadata = describe_export(bundle, precision, "abc", export_format.interface)
    file = tmp_path / f"file{export_format.suffix}"
    assert find_format_of(file) is export_format
    export_format.write(ExportOrder(bundle, precision, metadata, pictures), file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with export_format.opening(file, 1) as exported:
        assert exported.metadata.items() >= metadata.items()
        assert exported.runtime
        for shape in ((3, 40, 40), (1, 97, 33), (2, 20, 75)):
            images = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
            ours = predict_alike(bundle, images)
            np.testing.assert_allclose(exported.predict(images), ours, atol=TOLERANCE[precision])


def test_a_format_of_ones_own_is_found_by_its_name_and_its_suffix(monkeypatch, tmp_path):
    monkeypatch.setattr(EXPORT_FORMATS, "_entries", dict(EXPORT_FORMATS))

    @register_export_format("text", suffix=".txt", precisions=["fp32"], load=lambda path, threads: None)
    def write(order, path):
        path.write_text("network")

    assert EXPORT_FORMATS.find("text").write is write
    assert has_format(tmp_path / "file.txt")
    assert find_format_of(tmp_path / "file.txt").name == "text"
    assert not has_format(tmp_path / "file.csv")
    with pytest.raises(ExportError, match=r"file.csv: exported files end in \.onnx \(onnx\), .*, \.txt \(text\)$"):
        find_format_of(tmp_path / "file.csv")
    with pytest.raises(ConfigError, match=r"files of the export format text end in \.txt"):
        register_export_format("other", suffix=".txt", precisions=["fp32"], load=lambda path, threads: None)(write)
