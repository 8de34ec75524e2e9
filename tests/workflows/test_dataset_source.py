"""A torch Dataset from beginning to end: audited, trained on, resumed, evaluated and predicted."""

import numpy as np
import pandas as pd
import pytest
from torch.utils.data import Dataset

from discern.errors import BadImagesError
from discern.training.listeners import LogLines
from discern.workflows.audit import audit
from discern.workflows.evaluate import evaluate
from discern.workflows.predict import predict
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import COLOURS, QUICK, draw_photo


class Photos(Dataset):
    """Drawn photos of three classes; one item may be something else."""

    classes = tuple(COLOURS)

    def __init__(self, per_class, first_seed=0, broken=None):
        self.targets = [place for place in range(3) for _ in range(per_class)]
        self.first_seed = first_seed
        self.broken = broken

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        target = self.targets[index]
        picture = draw_photo(COLOURS[self.classes[target]], self.first_seed + index)
        return "no picture" if index == self.broken else picture, target


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    datasets = {"train": Photos(12), "validation": Photos(4, 100), "test": Photos(4, 200)}
    out = tmp_path_factory.mktemp("runs") / "run"
    return train(datasets, out=out, recipe="table", overrides=[*QUICK, "training.phases.*.epochs=3"])


def test_training_splits_as_the_datasets_say(run):
    split = pd.read_csv(run.folder.split)
    assert split["split"].value_counts().to_dict() == {"train": 36, "validation": 12, "test": 12}
    assert list(split["label"].unique()) == ["blue", "green", "red"]
    assert run.metrics["test"].count == 12


def test_evaluation_is_that_of_the_run(run, tmp_path):
    metrics = evaluate(run.folder.root, Photos(4, 200), out=tmp_path / "evaluation")
    assert metrics.accuracy.value == run.metrics["test"].accuracy.value


def test_prediction_is_the_same_as_of_the_pictures_themselves(run):
    predictor, dataset = run.load(), Photos(2, 300)
    expected = predictor.predict_inputs([dataset[index][0] for index in range(6)])
    assert np.array_equal(predictor.predict_inputs(dataset), expected)
    assert list(predictor.predict(dataset)["id"]) == [str(index) for index in range(6)]


def test_a_dataset_is_an_input_of_the_verb(run, tmp_path):
    predict(run.folder.root, Photos(2, 300), out=tmp_path / "predictions.csv")
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 6


def test_an_audit_finds_copies_and_what_is_no_picture(tmp_path):
    found = audit({"train": Photos(8, broken=3), "test": Photos(8)}, out=tmp_path / "audit", form="quick")
    kinds = {finding.kind: finding.count for finding in found.findings}
    assert kinds["unreadable"] == 1
    assert kinds["leaks"] == 23
    (item,) = next(finding for finding in found.findings if finding.kind == "unreadable").items
    assert item.ids == ("train/3",)
    assert "item 3 of the dataset Photos for train: it is a tuple of str, int; expected (image, label)" in item.detail


def test_an_item_that_is_no_picture_stops_the_training_or_is_left_out(tmp_path):
    with pytest.raises(BadImagesError, match=r"picture 5 in memory: item 5 of the dataset Photos: it is a tuple"):
        train(Photos(12, broken=5), out=tmp_path / "run", recipe="table", overrides=QUICK)
    skipping = [*QUICK, "data.on_bad=skip"]
    run = train(Photos(12, broken=5), out=tmp_path / "run", recipe="table", overrides=skipping)
    assert len(pd.read_csv(run.folder.split)) == 35


def test_an_interrupted_run_goes_on_with_the_same_dataset(tmp_path, monkeypatch):
    overrides = [*QUICK, "training.phases.*.epochs=2"]

    def die(*_, **__):
        raise RuntimeError("the machine burns")

    with monkeypatch.context() as patched:
        patched.setattr(LogLines, "on_epoch_end", die)
        with pytest.raises(RuntimeError, match="burns"):
            train(Photos(12), out=tmp_path / "run", recipe="table", overrides=overrides)
    assert len(resume(tmp_path / "run", Photos(12)).history) == 2
