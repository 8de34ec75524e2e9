import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch
from PIL import Image

import discern
from discern.errors import BundleError
from discern.predictor.bundle import load_bundle, save_bundle
from discern.predictor.calibration import Calibration
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime


@pytest.fixture
def bundle_folder(trained_run, tmp_path):
    return shutil.copytree(trained_run / "bundle", tmp_path / "bundle")


def change(folder, **values):
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_bundle_says_all_that_downstream_code_needs(trained_run):
    facts = json.loads((trained_run / "bundle" / "bundle.json").read_text())
    assert facts["class_names"] == ["blue", "green", "red"]
    assert facts["preprocess"]["image_size"] == 32
    assert facts["record"]["scores"]["test"]["accuracy"]["value"] >= 0
    assert facts["record"]["environment"]["data"]["fingerprint"]
    assert facts["record"]["environment"]["packages"]["torch"] == torch.__version__.split("+")[0]


def test_confidences_are_calibrated_and_the_bundle_says_how(photos, trained_run, tmp_path):
    bundle = load_bundle(trained_run)
    assert bundle.calibration.temperature != 1
    assert bundle.calibration.count == 6
    # Between two classes, since the network is as good as certain of the others.
    path = tmp_path / "between.png"
    blue, green = (Image.open(photos / name / "0.png") for name in ("blue", "green"))
    Image.blend(blue, green, 0.5).save(path)
    confidence = discern.load(trained_run).predict(path)["confidence"].iloc[0]
    uncalibrated = Predictor(replace(bundle, calibration=Calibration()), choose_runtime()).predict(path)
    assert uncalibrated["confidence"].iloc[0] != pytest.approx(confidence)
    assert uncalibrated["label"].iloc[0] == discern.load(trained_run).predict(path)["label"].iloc[0]


def test_a_bundle_survives_a_round_trip(bundle_folder, tmp_path):
    bundle = load_bundle(bundle_folder)
    save_bundle(bundle, tmp_path / "copy")
    copy = load_bundle(tmp_path / "copy")
    assert copy.class_names == bundle.class_names
    assert copy.preprocess == bundle.preprocess
    assert copy.calibration == bundle.calibration
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(copy.classifier(images), bundle.classifier(images))
    assert not copy.classifier.training


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "something else"}, "is not the description of a discern bundle"),
        ({"format_version": 99}, "has format version 99; this version of discern reads 1. It was written by discern"),
        ({"class_names": ["one"]}, r"class_names: .* at least 2 items"),
        ({"class_names": ["a", "b", "a"]}, "class names that occur twice"),
        ({"architecture": {"backbone": "resnet18", "wings": 2}}, r"architecture\.wings: Extra inputs"),
        ({"architecture": None}, "architecture: Input should be a valid dictionary"),
        ({"decode": 5}, "decode: Input should be a valid dictionary"),
        ({"calibration": {"temperature": 0}}, r"calibration\.temperature: Input should be greater than 0"),
        ({"calibration": {"scales": [1.0], "biases": [0.0]}}, "calibration.scales has 1 numbers for 3 classes"),
        ({"weights": []}, "weights: Input should be a valid dictionary"),
        ({"decode": {"orientation": "ignored", "max_pixels": 5}}, "other rules for decoding pictures"),
        ({"architecture": {"backbone": "resnet18", "stem": "imagenet"}}, "does not fit the network"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(bundle_folder, values, message):
    change(bundle_folder, **values)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_folder)


def test_unknown_preprocessing_is_refused(bundle_folder):
    preprocess = json.loads((bundle_folder / "bundle.json").read_text())["preprocess"]
    change(bundle_folder, preprocess={**preprocess, "sharpen": 2})
    with pytest.raises(BundleError, match="sharpen"):
        load_bundle(bundle_folder)


def test_missing_parts_and_damage_are_reported(bundle_folder):
    weights = bundle_folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BundleError, match="is damaged: its checksum is not the one"):
        load_bundle(bundle_folder)
    weights.unlink()
    with pytest.raises(BundleError, match="is missing: the bundle is not complete"):
        load_bundle(bundle_folder)
    (bundle_folder / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="is damaged"):
        load_bundle(bundle_folder)


def test_no_pickle_is_in_a_run_folder(trained_run):
    for path in trained_run.rglob("*"):
        if path.is_file():
            start = path.read_bytes()[:4]
            assert not start.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")), path


def test_calibration_evidence_and_feature_bank_survive_a_round_trip(bundle_folder, tmp_path):
    bundle = load_bundle(bundle_folder)
    scaled = Calibration(temperature=2, scales=(1, 2, 3), biases=(0, 1, -1))
    save_bundle(replace(bundle, calibration=scaled), tmp_path / "copy")
    copy = load_bundle(tmp_path / "copy")
    logits = torch.randn(4, 3)
    expected = logits / 2 * torch.tensor([1.0, 2, 3]) + torch.tensor([0.0, 1, -1])
    torch.testing.assert_close(copy.calibration.apply(logits), expected)
    assert (copy.feature_bank.features == bundle.feature_bank.features).all()
    assert copy.feature_bank.frame.equals(bundle.feature_bank.frame)
    for name, values in vars(bundle.evidence).items():
        assert (getattr(copy.evidence, name) == values).all()


def test_evidence_and_feature_bank_are_of_validation_and_training(trained_run):
    bundle = load_bundle(trained_run)
    rows = pd.read_csv(trained_run / "evaluation" / "predictions.csv").query("split == 'validation'")
    assert bundle.evidence.confidences == pytest.approx(rows["confidence"], abs=1e-5)
    assert (bundle.evidence.is_right == (rows["true"] == rows["predicted"])).all()
    split = pd.read_csv(trained_run / "split.csv").query("split == 'train'")
    assert set(bundle.feature_bank.frame["id"]) == set(split["id"])
    assert (bundle.evidence.similarities > 0).all()


def test_bundles_of_old_have_neither_and_still_answer(bundle_folder, photos):
    content = json.loads((bundle_folder / "bundle.json").read_text())
    del content["evidence"], content["feature_bank"]
    (bundle_folder / "bundle.json").write_text(json.dumps(content))
    classifier = discern.load(bundle_folder)
    assert classifier.bundle.feature_bank is None
    assert len(classifier.predict(photos / "blue" / "0.png")) == 1
    with pytest.raises(BundleError, match="no share of wrong answers can be guaranteed"):
        classifier.predict(photos / "blue" / "0.png", max_error=0.3)


def test_damage_to_the_evidence_and_the_feature_bank_is_reported(bundle_folder):
    (bundle_folder / "feature_bank.csv").unlink()
    with pytest.raises(BundleError, match=r"feature_bank\.csv is missing or damaged"):
        load_bundle(bundle_folder)
    (bundle_folder / "evidence.safetensors").write_bytes(b"no")
    with pytest.raises(BundleError, match=r"evidence\.safetensors is damaged"):
        load_bundle(bundle_folder)
