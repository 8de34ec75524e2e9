"""Classifiers that were trained elsewhere become bundles, and give the answers that they gave there."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from torch import nn

import discern
from discern.errors import ConfigError
from discern.files import discern_home
from discern.predictor.bundle import load_bundle
from discern.workflows.export import export, export_public
from discern.workflows.train import train
from pictures import QUICK, WITH_PAGE

THEIRS = ("red", "blue", "green")
"""In another order than ours."""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    network = torchvision.models.resnet18(num_classes=3)
    network.fc = nn.Sequential(nn.Linear(512, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    network.fc[3].weight.data *= 10
    return network.eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("theirs") / "best_model.pth"
    torch.save({"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}, path)
    return path


@pytest.fixture(scope="module")
def overrides(weights):
    return [
        *QUICK,
        "model.backbone=resnet18",
        f"model.weights={weights}",
        "model.load_head=true",
        f"model.class_names={json.dumps(THEIRS)}",
        "data.fit=squash",
        "data.mean=[0.5, 0.5, 0.5]",
        "data.std=[0.5, 0.25, 0.5]",
        "training.calibration=none",
    ]


@pytest.fixture(scope="module")
def run(photos, overrides, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "theirs"
    return train(photos, out=out, recipe="as-is", overrides=[*overrides, *WITH_PAGE])


def test_it_answers_as_it_does_elsewhere(run, network):
    images = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    mean, std = torch.tensor([0.5, 0.5, 0.5]).view(3, 1, 1), torch.tensor([0.5, 0.25, 0.5]).view(3, 1, 1)
    with torch.inference_mode():
        logits = network((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std)
    answers = run.load().predict(images, probabilities=True)
    for place, name in enumerate(THEIRS):
        np.testing.assert_allclose(answers[f"probability_{name}"], logits.softmax(dim=1)[:, place], atol=1e-4)


def test_the_run_has_scores_and_evidence_and_says_that_nothing_was_trained(run):
    assert set(run.metrics) == {"validation", "test"}
    bundle = load_bundle(run.folder.root)
    assert bundle.class_names == ("blue", "green", "red")
    assert (bundle.architecture.head, bundle.architecture.hidden_features) == ("mlp", (16,))
    assert len(bundle.evidence) == run.metrics["validation"].count
    assert bundle.evidence.num_choices == 1
    assert len(bundle.feature_bank.frame) > 0
    assert bundle.record.best_epoch == 0
    assert run.plan.head_class_names == THEIRS
    log = run.folder.log.read_text()
    assert "the head is that of the weights: fc.0 (512 to 16), fc.3 (16 to 3); ReLU is assumed" in log
    assert "kept: the classifier as its weights had it: nothing was trained" in log
    assert "that nothing was trained on here" in run.folder.report.read_text()
    assert not run.folder.history.exists()
    assert run.history.empty
    assert "validation_accuracy" in run.history
    for kind in ("curves", "learning_rate"):
        with pytest.raises(ConfigError, match=f"has nothing to draw in {kind}"):
            run.plot(kind)


def test_weights_that_are_exported_and_loaded_again_give_the_same_answers(run, photos, overrides, tmp_path):
    file = export(run.folder.root, export_format="state-dict", out=tmp_path / "theirs.safetensors", verbose=False)
    exported = [f"model.weights={file}", f"model.class_names={file}.json", "training.feature_bank=0"]
    again = train(photos, out=tmp_path / "again", recipe="as-is", overrides=[*overrides, *exported])
    assert again.plan.head_class_names == ("blue", "green", "red")
    frames = [pd.read_csv(one.folder.evaluation / "predictions.csv") for one in (run, again)]
    columns = [name for name in frames[0] if name.startswith("probability_")]
    np.testing.assert_allclose(frames[0][columns], frames[1][columns], atol=1e-5)


def test_training_goes_on_from_the_head(photos, overrides, tmp_path, network):
    tiny = ["training.phases.*.learning_rate=1e-12", "training.phases.0.head_solver=auto"]
    run = train(photos, out=tmp_path / "run", recipe="auto", overrides=[*overrides, *tiny, "training.max_images=6"])
    assert run.plan.phases[0].head_solver == "gradient"
    layer = load_bundle(run.folder.root).classifier.head.layers[3]
    torch.testing.assert_close(layer.weight, network.fc[3].weight[[1, 2, 0]], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (['model.class_names=["red", "blue"]'], "has 3 outputs, and model.class_names has 2 names"),
        (['model.class_names=["red", "blue", "grey"]'], "only the pictures have green; only the head has grey"),
        (['model.class_names=["red", "blue", "red"]'], "model.class_names has red twice"),
        (["model.class_names=[]"], "needs model.class_names: the class of each output"),
        (["model.class_names=nowhere.txt"], r"names cannot be read from 'nowhere.txt' .*give a list such as"),
        (["model.weights=none"], "needs the weights of one whole classifier"),
        (["model.load_head=false"], "a run without phases trains nothing; give a whole classifier"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(photos, overrides, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train(photos, out=tmp_path / "run", recipe="as-is", overrides=[*overrides, *changes])
    assert not (tmp_path / "run" / "bundle").exists()


def test_a_public_bundle_answers_alike_and_names_no_picture(run, photos, weights, tmp_path):
    public = export_public(run.folder.root, tmp_path / "public")
    content = {path.name: path.read_bytes() for path in public.iterdir()}
    assert set(content) == {"README.md", "bundle.json", "evidence.safetensors", "manifest.json", "model.safetensors"}
    pictures = pd.read_csv(run.folder.split, dtype="str")
    secrets = [
        str(photos),
        str(weights.parent),
        str(tmp_path),
        str(run.folder.root),
        *pictures["id"],
        *pictures["path"],
    ]
    secrets.append(str(discern_home()))
    assert not [secret for secret in secrets if any(secret.encode() in text for text in content.values())]
    bank = load_bundle(run.folder.root).feature_bank.features
    assert not [name for name, text in content.items() if bank[0].tobytes() in text]
    moved = shutil.move(public, tmp_path / "elsewhere")
    ours, theirs = (discern.load(folder).predict(photos, probabilities=True) for folder in (run.folder.root, moved))
    columns = ["label", "confidence", *(f"probability_{name}" for name in THEIRS)]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])
    assert {*ours.columns} - {*theirs.columns} == {"familiarity", "unfamiliar"}
    with pytest.raises(ConfigError, match="not an empty folder; give a new one"):
        export_public(run.folder.root, tmp_path / "elsewhere")
