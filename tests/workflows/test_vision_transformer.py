"""A vision transformer from training to the exported file, with weights that were trained at another size."""

import json
import runpy
import sys

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file

import discern
from discern.errors import ConfigError
from discern.exporting.certificate_file import certificate_path
from discern.predictor.bundle import load_bundle
from pictures import QUICK

SIZE = 48
SMALL = [text for text in QUICK if not text.startswith("model.")]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """Settings that start from weights which stand for pretrained ones: a classifier for pictures of 96 pixels."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "test_vit.safetensors"
    save_file(timm.create_model("test_vit", img_size=96, num_classes=7).state_dict(), path)
    return [*SMALL, "model.backbone=timm:test_vit", f"model.weights={path}", f"data.image_size={SIZE}"]


@pytest.fixture(scope="module")
def run(photos, options, tmp_path_factory):
    """A run in which the last two blocks train on features of the others; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "transformer"
    trained = 'training.phases.head.train=["blocks.4", "blocks.5", "head"]'
    return discern.train(photos, out=folder, recipe="transfer", overrides=[*options, trained, "epochs=3"])


def test_single_blocks_train_on_cached_features(run):
    assert run.plan.phases[0].train == ("blocks.4", "blocks.5", "head")
    assert run.plan.phases[0].views > 0
    assert run.plan.preprocess.image_size == SIZE
    assert len(run.history) == 3
    assert load_bundle(run.folder.root).classifier.backbone.network.pos_embed.shape == (1, 1 + 3 * 3, 64)


def test_it_predicts_explains_by_attention_and_knows_similar_pictures(run, photos, tmp_path):
    predictor = discern.load(run.folder.root)
    answers = predictor.predict(str(photos / "red"))
    assert len(answers) == 12
    assert answers["familiarity"].between(0, 1).all()
    explained = discern.explain(run.folder.root, str(photos / "red" / "0.png"), out=tmp_path / "explained")
    assert list(pd.read_csv(explained.folder / "explanations.csv")["method"]) == ["attention"]
    with pytest.raises(ConfigError, match="The method attention explains this backbone"):
        discern.explain(run.folder.root, str(photos / "red" / "0.png"), method="grad-cam", out=tmp_path / "refused")


def test_exported_to_onnx_it_answers_alike(run, tmp_path, monkeypatch):
    # No test depends on times.
    monkeypatch.setattr("discern.exporting.measurement.REPEATS", 1)
    monkeypatch.setattr("discern.exporting.measurement.BATCH_SIZE", 2)
    file = discern.export(run.folder.root, out=tmp_path / "colours.onnx")
    certificate = json.loads(certificate_path(file).read_text())
    assert certificate["same_pixels"]["label_agreement"] == 1


def test_its_weights_load_in_timm_at_this_size(run, photos, tmp_path, monkeypatch, capsys):
    file = discern.export(run.folder.root, export_format="state-dict", out=tmp_path / "colours.safetensors")
    picture = str(photos / "red" / "0.png")
    monkeypatch.setattr(sys, "argv", ["example", picture])
    runpy.run_path(f"{file}.py", run_name="__main__")
    label, confidence = capsys.readouterr().out.split()[-2:]
    answer = discern.predict(run.folder.root, picture).frame.iloc[0]
    assert label == answer["label"]
    np.testing.assert_allclose(float(confidence), answer["confidence"], atol=1e-3)


def test_auto_fine_tunes_all_of_it(photos, options, tmp_path):
    run = discern.train(photos, out=tmp_path / "run", overrides=options)
    assert list(run.history["phase"]) == ["probe", "fine-tune"]
    before = load_bundle(run.folder.root).classifier
    assert before.backbone.image_size == SIZE


def test_sizes_and_scales_that_do_not_fit_are_refused_before_training(photos, options, tmp_path):
    with pytest.raises(ConfigError, match=r"image size is 50, but timm:test_vit divides .* 16 pixels; use 48 or 64"):
        discern.train(photos, out=tmp_path / "run", recipe="transfer", overrides=[*options, "data.image_size=50"])
    scaled = [*options, "data.image_size=64", "image_scale=0.5"]
    with pytest.raises(
        ConfigError, match=r"image size is 32, but .* 64 pixels only; use 64 everywhere \(image_scale=1"
    ):
        discern.train(photos, out=tmp_path / "run", recipe="transfer", overrides=scaled)
