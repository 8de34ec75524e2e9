import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import discern
from discern.errors import BundleError
from discern.predictor.bundle import load_bundle, save_bundle
from discern.predictor.calibration import Calibration
from discern.predictor.manifest import save_manifest
from discern.predictor.predictor import Predictor
from discern.runtime import choose_runtime


@pytest.fixture
def bundle_folder(trained_run, tmp_path):
    return shutil.copytree(trained_run / "bundle", tmp_path / "bundle")


def change(folder, **values):
    """Change the description as one who can also write the manifest."""
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    sign(folder)


def sign(folder):
    save_manifest(folder, [path.name for path in folder.iterdir() if path.name != "manifest.json"])


def test_a_bundle_says_all_that_downstream_code_needs(trained_run):
    facts = json.loads((trained_run / "bundle" / "bundle.json").read_text())
    assert facts["class_names"] == ["blue", "green", "red"]
    assert facts["preprocess"]["image_size"] == 32
    assert facts["record"]["scores"]["test"]["accuracy"]["value"] >= 0
    assert facts["record"]["environment"]["data"]["fingerprint"]
    assert facts["record"]["environment"]["packages"]["torch"] == torch.__version__.split("+")[0]
    assert facts["discern_version"] == facts["record"]["environment"]["packages"]["discern"] == discern.__version__


def test_six_validation_pictures_do_not_show_that_calibration_helps(trained_run):
    calibration = load_bundle(trained_run).calibration
    assert (calibration.temperature, calibration.count) == (1, 6)


def test_confidences_are_calibrated_as_the_bundle_says(photos, trained_run, tmp_path):
    bundle = load_bundle(trained_run)
    calibrated = Predictor(replace(bundle, calibration=Calibration(temperature=2.0)), choose_runtime())
    # Between two classes, since the network is as good as certain of the others.
    path = tmp_path / "between.png"
    blue, green = (Image.open(photos / name / "0.png") for name in ("blue", "green"))
    Image.blend(blue, green, 0.5).save(path)
    answer, raw = calibrated.predict(path).iloc[0], Predictor(bundle, choose_runtime()).predict(path).iloc[0]
    assert answer["confidence"] < raw["confidence"] - 0.01
    assert answer["label"] == raw["label"]


def test_a_bundle_survives_a_round_trip(bundle_folder, tmp_path):
    bundle = load_bundle(bundle_folder)
    save_bundle(bundle, tmp_path / "copy")
    copy = load_bundle(tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").glob("*.json")) == ["bundle.json", "manifest.json"]
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
        (
            {"format_version": 99},
            "has format version 99; this version of discern reads 1 and 2. It was written by",
        ),
        ({"class_names": ["one"]}, r"class_names: .* at least 2 items"),
        ({"class_names": ["a", "b", "a"]}, "class names that occur twice"),
        ({"architecture": {"backbone": "resnet18", "wings": 2}}, r"architecture\.wings: Extra inputs"),
        ({"architecture": None}, "architecture: Input should be a valid dictionary"),
        ({"decode": 5}, "decode: Input should be a valid dictionary"),
        ({"calibration": {"temperature": 0}}, r"calibration\.temperature: Input should be greater than 0"),
        ({"calibration": {"scales": [1.0], "biases": [0.0]}}, "calibration.scales has 1 numbers for 3 classes"),
        ({"weights": []}, "weights: Input should be a valid dictionary"),
        ({"calibration": {"temperature": float("inf")}}, "calibration has numbers that are not finite"),
        ({"calibration": {"temperature": float("nan")}}, "calibration"),
        ({"class_names": ["a", "", "c"]}, r"class_names\.1: String should have at least 1 character"),
        ({"class_names": ["a", "b"]}, "does not fit the network and the classes"),
        ({"class_names": [str(i) for i in range(1000)]}, "it has no layers of the widths 1000"),
        ({"class_names": list(range(1000))}, r"class_names\.0: .* and 991 more"),
        ({"architecture": {"backbone": "resnet18-half", "head": "mlp", "hidden_features": [10**12]}}, "of the widths"),
        ({"architecture": {"backbone": "timm:vit_large_patch16_224"}}, r"does not fit .* instead of|missing"),
        ({"architecture": {"backbone": "nothing"}}, "nothing"),
        ({"format_version": "x" * 10_000}, r"has format version x+|\.\.\.; this version"),
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
    with pytest.raises(BundleError, match=r"model.safetensors is damaged or was changed: its checksum is not the one"):
        load_bundle(bundle_folder)
    weights.unlink()
    with pytest.raises(BundleError, match=r"model.safetensors is missing: the bundle is not complete"):
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
    content["format_version"] = 1
    (bundle_folder / "bundle.json").write_text(json.dumps(content))
    (bundle_folder / "manifest.json").unlink()
    classifier = discern.load(bundle_folder)
    assert classifier.bundle.feature_bank is None
    assert len(classifier.predict(photos / "blue" / "0.png")) == 1
    with pytest.raises(BundleError, match="no share of wrong answers can be guaranteed"):
        classifier.predict(photos / "blue" / "0.png", max_error=0.3)


def test_damage_to_the_evidence_and_the_feature_bank_is_reported(bundle_folder):
    (bundle_folder / "feature_bank.csv").unlink()
    (bundle_folder / "evidence.safetensors").write_bytes(b"no")
    with pytest.raises(BundleError, match=r"cannot be trusted:\n(.*\n)*  feature_bank\.csv is missing") as caught:
        load_bundle(bundle_folder)
    assert "evidence.safetensors is damaged or was changed" in str(caught.value)
    sign(bundle_folder)
    with pytest.raises(BundleError, match=r"evidence\.safetensors is damaged"):
        load_bundle(bundle_folder)


def test_edits_of_a_description_are_found_by_the_manifest(bundle_folder):
    path = bundle_folder / "bundle.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "class_names": content["class_names"][::-1]}))
    with pytest.raises(BundleError, match=r"bundle.json is damaged or was changed"):
        load_bundle(bundle_folder)
    (bundle_folder / "manifest.json").unlink()
    with pytest.raises(BundleError, match=r"manifest.json is missing: the bundle is not complete"):
        load_bundle(bundle_folder)
    (bundle_folder / "manifest.json").write_text('{"files": {"../secret": {"bytes": 1, "sha256": ""}}}')
    with pytest.raises(BundleError, match=r"'../secret' is no name of a file"):
        load_bundle(bundle_folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"std": [0, 0, 0]}, "has the std .* expected three finite numbers above 0"),
        ({"std": [1, float("inf"), 1]}, "has the std"),
        ({"mean": [float("nan")] * 3}, "has the mean .* expected three numbers from 0 to 1"),
        ({"mean": [0.5]}, "expected three numbers"),
        ({"image_size": 10**6}, "has image_size 1000000; expected at most 4096 pixels"),
        ({"fit": ["pad"]}, "fits pictures by"),
    ],
)
def test_values_out_of_range_are_refused_before_memory_is_taken(bundle_folder, values, message):
    preprocess = json.loads((bundle_folder / "bundle.json").read_text())["preprocess"]
    change(bundle_folder, preprocess={**preprocess, **values})
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_folder)


def resave(path, **tensors):
    save_file({name: tensor for name, tensor in (load_file(path) | tensors).items() if tensor is not None}, path)
    sign(path.parent)


@pytest.mark.parametrize(
    ("name", "tensors", "message"),
    [
        ("model", {"head.layers.1.bias": torch.tensor([0.0, float("nan"), 0])}, r"not finite: head.layers.1.bias"),
        ("model", {"head.layers.1.bias": torch.zeros(4)}, r"head.layers.1.bias: \(4,\) instead of \(3,\)"),
        ("model", {"head.layers.1.bias": None}, "head.layers.1.bias: missing instead of"),
        ("model", {"more": torch.zeros(1)}, "more is unknown"),
        ("evidence", {"confidences": torch.zeros(2, dtype=torch.float64)}, "its arrays do not fit each other"),
        ("evidence", {"confidences": torch.full((6,), float("nan"), dtype=torch.float64)}, "or are no shares"),
        ("evidence", {"confidences": None}, "is not understood"),
        ("feature_bank", {"features": torch.zeros(3, 5, dtype=torch.float16)}, "it has no finite features of length"),
        ("feature_bank", {"features": torch.zeros(3, 256, dtype=torch.float16)}, "rows for 3 pictures"),
        ("feature_bank", {"features": torch.full((24, 256), float("nan"))}, "it has no finite features of length"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(bundle_folder, name, tensors, message):
    resave(bundle_folder / f"{name}.safetensors", **tensors)
    with pytest.raises(BundleError, match=message):
        load_bundle(bundle_folder)


def test_answers_that_are_not_finite_are_an_error(bundle_folder, photos):
    weights = load_file(bundle_folder / "model.safetensors")["head.layers.1.weight"]
    resave(bundle_folder / "model.safetensors", **{"head.layers.1.weight": torch.full_like(weights, 3e38)})
    with pytest.raises(BundleError, match="the classifier gives no finite numbers for 1 of 1 pictures"):
        discern.load(bundle_folder).predict(photos / "blue" / "0.png")


def test_every_flipped_bit_is_found(bundle_folder):
    rng = np.random.default_rng(0)
    for path in sorted(set(bundle_folder.iterdir()) - {bundle_folder / "README.md"}):
        content = path.read_bytes()
        for _ in range(5):
            place = int(rng.integers(len(content)))
            path.write_bytes(flip(content, place, int(rng.integers(8))))
            # A bundle whose format says that it is an older one has no manifest, but its own checksums.
            with pytest.raises(BundleError):
                load_bundle(bundle_folder)
        path.write_bytes(content)
    load_bundle(bundle_folder)


def test_a_bundle_that_was_changed_and_signed_again_gives_a_clear_error_or_another_model(bundle_folder):
    rng = np.random.default_rng(0)
    content = json.loads((bundle_folder / "bundle.json").read_text())
    del content["record"]
    values = [None, -1, 0, 1e308, float("inf"), float("nan"), 10**30, True, "", "x" * 5000, [], {}, [[]], {"a": {}}]
    places = list(walk(content))
    for number in rng.permutation(len(places))[:40]:
        change(bundle_folder, **replace_at(content, places[number], values[int(rng.integers(len(values)))]))
        load_or_refuse(bundle_folder)
    change(bundle_folder, **content)
    for path in sorted(bundle_folder.iterdir()):
        if path.name != "manifest.json":
            original = path.read_bytes()
            for _ in range(5):
                # Most of what matters is at the beginning.
                place = int(len(original) * rng.random() ** 4)
                path.write_bytes(flip(original, place, int(rng.integers(8))))
                sign(bundle_folder)
                load_or_refuse(bundle_folder)
            path.write_bytes(original)


def flip(content, place, bit):
    return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]


def load_or_refuse(folder):
    try:
        load_bundle(folder)
    except BundleError as error:
        assert len(str(error)) < 2500  # noqa: PT017 - either outcome is right


def walk(content, path=()):
    """Yield the path of every value."""
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from walk(value, (*path, key))


def replace_at(content, path, value):
    changed = json.loads(json.dumps(content))
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed
