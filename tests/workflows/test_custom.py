"""A user's own network, loss, metrics, augmentation and listeners, from training to the exported file."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

import discern
from discern.errors import BundleError, ConfigError, RunFolderError, TrainingError
from pictures import QUICK, WITH_PAGE

OWN = {"model.weights": "none", "image_size": 32, "batch_size": 8, "threads": 1, "epochs": 2}


class OwnNetwork(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2)
        )
        self.last = nn.Linear(16, num_classes)

    def forward(self, images):
        return self.last(self.body(images).mean(dim=(2, 3)))


ANOTHER_NETWORK = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def record_calls(name, calls):
    """Return a loss, metric or augmentation that works and counts how often it is called."""

    def loss(logits, targets):
        calls.append(name)
        return functional.cross_entropy(logits, targets, reduction="none")

    def metric(targets, probabilities):
        calls.append(name)
        return float((probabilities.argmax(axis=1) == targets).mean())

    def augment(image):
        calls.append(name)
        return image.flip(-1)

    return {"loss": loss, "metric": metric, "augment": augment}[name]


@pytest.fixture(scope="module")
def own_run(photos, tmp_path_factory):
    """A run of a network of the user's, which other tests must not change."""
    out = tmp_path_factory.mktemp("own") / "run"
    return discern.train(photos, out=out, recipe="table", overrides=OWN, network=OwnNetwork)


def test_an_own_network_is_loaded_with_the_same_argument_and_answers_as_evaluated(own_run, photos):
    predictions = own_run.predictions
    answers = discern.load(own_run.folder.root, network=OwnNetwork).predict(
        [photos / name for name in predictions.ids], probabilities=True
    )
    columns = [f"probability_{name}" for name in predictions.class_names]
    assert np.allclose(answers[columns], predictions.probabilities, atol=1e-5)
    assert own_run.load(network=OwnNetwork).embed(photos / "red").shape == (12, 16)


def test_without_the_network_the_run_says_what_to_give(own_run):
    with pytest.raises(BundleError, match="network="):
        discern.load(own_run.folder.root)
    with pytest.raises(BundleError, match=r"gives \(2, 7\) for two images; expected logits of shape \(2, 3\)"):
        discern.load(own_run.folder.root, network=OwnNetwork(7))
    with pytest.raises(BundleError, match="does not fit the network"):
        discern.load(own_run.folder.root, network=ANOTHER_NETWORK)


def test_a_module_is_copied_and_counts_as_pretrained(photos, tmp_path):
    torch.manual_seed(0)
    network = OwnNetwork(3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    overrides = {key: value for key, value in OWN.items() if key not in ("model.weights", "epochs")}
    phase = {"training.phases.head.epochs": 1, "training.phases.all.epochs": 1}
    run = discern.train(
        photos, out=tmp_path / "run", recipe="transfer-finetune", overrides={**overrides, **phase}, network=network
    )
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert run.plan.custom["network"].endswith("OwnNetwork")
    first = run.plan.phases[0]
    assert "head" in first.train
    assert "stem" not in first.train


def test_an_own_network_is_evaluated_explained_and_exported(own_run, photos, tmp_path):
    root = own_run.folder.root
    metrics = discern.evaluate(root, photos, out=tmp_path / "evaluated", network=OwnNetwork)
    assert metrics.count == 36
    explained = discern.explain(root, photos / "red" / "0.png", out=tmp_path / "explained", network=OwnNetwork)
    assert (explained.folder / explained.frame["figure"].iloc[0]).is_file()
    file = discern.export(root, out=tmp_path / "own.onnx", network=OwnNetwork)
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file))
    assert [len(class_names) for class_names in [own_run.predictions.class_names]] == [3]
    assert session.get_outputs()[0].shape[-1] == 3


def test_what_is_no_network_is_refused_before_anything_is_written(photos, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a torch\.nn\.Module"):
        discern.train(photos, out=tmp_path / "run", overrides=OWN, network=lambda num_classes: num_classes)
    assert not (tmp_path / "run").exists()


def test_own_loss_and_metric_and_augmentation_are_used_and_the_metric_is_recorded(photos, tmp_path):
    calls = []
    run = discern.train(
        photos,
        out=tmp_path / "run",
        recipe="table",
        overrides=[*QUICK, *WITH_PAGE, "data.workers=0"],
        loss=record_calls("loss", calls),
        metrics={"own_score": record_calls("metric", calls)},
        augment=record_calls("augment", calls),
    )
    assert set(calls) == {"loss", "metric", "augment"}
    assert calls.count("augment") >= 24
    history = pd.read_csv(run.folder.history)
    assert history["validation_own_score"].iloc[0] == pytest.approx(history["validation_accuracy"].iloc[0])
    written = json.loads((run.folder.evaluation / "metrics.json").read_text())["test"]
    assert written["custom"]["own_score"] == written["accuracy"]["value"] == run.metrics["test"].custom["own_score"]
    assert "own_score" in run.folder.report.read_text()
    assert set(run.plan.custom) == {"loss", "augment", "metrics.own_score"}


def test_a_loss_of_another_shape_is_explained(photos, tmp_path):
    with pytest.raises(TrainingError, match=r"the loss has shape \(8, 3\); expected one number, the mean over"):
        discern.train(
            photos, out=tmp_path / "run", recipe="table", overrides=QUICK, loss=lambda logits, targets: logits
        )


def test_a_listener_hears_all_and_ends_the_training(photos, tmp_path):
    heard = []

    class Stopper(discern.Listener):
        def on_phase_start(self, phase, epochs_done):
            heard.append(("phase", phase.name, epochs_done))

        def on_epoch_start(self, phase, epoch, batches):
            heard.append(("epoch", epoch, batches))

        def on_batch(self, result):
            heard.append(("batch",))

        def on_epoch_end(self, rows, *, is_best):
            heard.append(("done", len(rows)))
            return len(rows) == 2

        def on_end(self):
            heard.append(("end",))

    run = discern.train(
        photos, out=tmp_path / "run", recipe="v1", overrides=[*QUICK, "epochs=9"], listeners=[Stopper()]
    )
    assert len(run.history) == 2
    assert heard[0][0] == "phase"
    assert heard[-1] == ("end",)
    assert [one for one in heard if one[0] == "epoch"] == [("epoch", 1, 3), ("epoch", 2, 3)]
    assert heard.count(("batch",)) == 6
    assert run.metrics["test"].count == 6


class _Interrupt(discern.Listener):
    def on_epoch_end(self, rows, *, is_best):
        if len(rows) == 1:
            raise KeyboardInterrupt


def test_a_run_with_own_objects_goes_on_with_them_alone(photos, tmp_path):
    given = {"network": OwnNetwork, "loss": record_calls("loss", []), "metrics": {"own": record_calls("metric", [])}}
    overrides = {**OWN, "epochs": 3, "determinism": True}
    whole = discern.train(photos, out=tmp_path / "whole", recipe="table", overrides=overrides, **given)
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        discern.train(photos, out=out, recipe="table", overrides=overrides, listeners=[_Interrupt()], **given)
    with pytest.raises(RunFolderError, match=r"objects of yours; give them again: loss= .*, metrics= .*, network= "):
        discern.resume(out)
    with pytest.raises(RunFolderError, match="started without augment"):
        discern.resume(out, augment=record_calls("augment", []), **given)
    resumed = discern.resume(out, **given)
    columns = ["epoch", "train_loss", "validation_loss", "validation_own"]
    assert resumed.history[columns].equals(whole.history[columns])


def test_keywords_a_mapping_and_texts_mean_the_same(photos, tmp_path):
    texts = [*QUICK, "training.epochs=2", "learning_rate=2e-3"]
    mapping = dict(text.split("=", 1) for text in QUICK)
    runs = [
        discern.train(photos, out=tmp_path / "texts", recipe="v1", overrides=texts),
        discern.train(
            photos, out=tmp_path / "dict", recipe="v1", overrides={**mapping, "epochs": 2}, learning_rate=2e-3
        ),
        discern.train(
            photos,
            out=tmp_path / "nested",
            recipe="v1",
            overrides={**mapping, "training": {"epochs": 2, "learning_rate": 2e-3}},
        ),
    ]
    first, *others = [run.folder.config.read_text() for run in runs]
    assert others == [first, first]


def test_a_wrong_keyword_is_refused_with_the_nearest_right_one(photos, tmp_path):
    with pytest.raises(ConfigError, match=r"ephocs.*did you mean .*epochs"):
        discern.train(photos, out=tmp_path / "run", ephocs=3)


@pytest.mark.parametrize(
    "model", [{"backbone": "resnet9"}, {"candidates": [{"backbone": "resnet9", "weights": "imagenet"}]}]
)
def test_a_backbone_that_does_not_exist_is_refused_before_pictures_are_read(tmp_path, model):
    with pytest.raises(ConfigError, match="no backbone 'resnet9'"):
        discern.train(tmp_path / "not_there", out=tmp_path / "run", overrides={"model": model})
    assert not (tmp_path / "run").exists()


def test_without_out_the_next_free_name_in_runs_is_taken(photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [discern.train(photos, recipe="v1", overrides=QUICK).folder.root for _ in range(2)]
    assert [str(name) for name in names] == [f"runs/{photos.name}", f"runs/{photos.name}-2"]


def test_report_and_plots_can_be_left_out(photos, tmp_path):
    run = discern.train(photos, out=tmp_path / "run", recipe="v1", overrides=QUICK, report=False, plots=False)
    assert not run.folder.report.exists()
    assert not run.folder.plots.exists()
    assert run.metrics["test"].count == 6
