"""A head that reads the upper stages and their covariances, from training to answers elsewhere."""

import json

import numpy as np
import pandas as pd
import pytest

import discern
from discern.errors import ExportError
from discern.exporting.certificate_file import load_certificate
from discern.predictor.bundle import load_bundle
from discern.workflows.explain import explain
from discern.workflows.export import export
from discern.workflows.predict import predict
from discern.workflows.train import train
from pictures import QUICK, draw_photo

STAGES = (*QUICK, "model.features=covariances", "training.phases.*.epochs=6", "learning_rate=2e-3")


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "stages"
    train(photos, out=out, recipe="table", overrides=STAGES)
    return out


def test_the_bundle_answers_as_the_run_did(run, photos):
    classifier = discern.load(run)
    architecture = json.loads((run / "bundle" / "bundle.json").read_text())["architecture"]
    assert architecture["features"] == "covariances"
    known = pd.read_csv(run / "evaluation" / "predictions.csv")
    again = classifier.predict(known["path"].tolist())
    assert list(again["label"]) == list(known["predicted"]) == list(known["true"])
    np.testing.assert_allclose(again["confidence"], known["confidence"], atol=1e-4)


def test_pictures_are_compared_by_the_features_of_the_last_map(run):
    bank = load_bundle(run / "bundle").feature_bank
    assert bank.features.shape[1] == 256
    assert discern.load(run).embed(draw_photo((200, 50, 40), 5)).shape == (1, 256)


def test_it_is_explained(run, photos, tmp_path):
    explanations = explain(run, [str(photos / "red" / "0.png")], out=tmp_path / "why")
    assert explanations.frame["method"].tolist() == ["grad-cam"]
    (figure,) = explanations.figures
    assert figure.is_file()


@pytest.mark.parametrize(
    ("export_format", "suffix", "precision", "tolerance"),
    [
        ("onnx", "onnx", "fp32", 1e-4),
        ("onnx", "onnx", "fp16", 0.02),
        ("torch", "pt2", "fp32", 1e-4),
        ("torch", "pt2", "fp16", 0.02),
    ],
)
def test_an_exported_file_answers_alike(export_format, suffix, precision, tolerance, run, tmp_path):
    file = export(run, export_format=export_format, precision=precision, out=tmp_path / f"stages.{suffix}")
    assert load_certificate(file).same_pixels.largest_probability_difference < tolerance


def test_weights_for_other_programs_are_refused(run, tmp_path):
    with pytest.raises(ExportError) as caught:
        export(run, export_format="state-dict", out=tmp_path / "stages.safetensors")
    assert str(caught.value) == (
        "the head reads the upper stages of the network, too, which torchvision and timm do not know; export it to "
        "onnx or torch, which take any network, or train with model.features=last"
    )
    assert list(tmp_path.iterdir()) == []


def test_folds_make_an_ensemble_of_it(photos, tmp_path):
    train(photos, out=tmp_path / "folds", recipe="table", overrides=[*STAGES, "run.folds=2"])
    answers = predict(tmp_path / "folds", [str(photos / "red")]).frame
    assert (answers["label"] == "red").sum() > 8
