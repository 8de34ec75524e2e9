"""Training with a teacher: what is learnt, what is refused, and what is said of both."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from discern.cli.app import main
from discern.errors import ConfigError, RunFolderError
from discern.exporting.public_bundle import make_public
from discern.planning.plan import load_plan
from discern.predictor.bundle import load_bundle
from discern.predictor.load import load
from discern.reports.run import Run
from discern.training.listeners import LogLines
from discern.training.taught_targets import TaughtTargets
from discern.workflows.resume import resume
from discern.workflows.train import train
from pictures import QUICK, WITH_PAGE, draw_photos

OVERRIDES = [*QUICK, "training.phases.*.epochs=2", "run.precision=fp32", "run.determinism=true"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    draw_photos(folder / "train", per_class=8)
    draw_photos(folder / "validation", per_class=3, first_seed=300)
    draw_photos(folder / "test", per_class=4, first_seed=500)
    return folder


@pytest.fixture(scope="module")
def teacher(photos, tmp_path_factory) -> Run:
    return train(photos, out=tmp_path_factory.mktemp("runs") / "teacher", recipe="table", overrides=OVERRIDES)


@pytest.fixture(scope="module")
def pupil(photos, teacher, tmp_path_factory) -> Run:
    """A complete run with a teacher; tests must not change it."""
    out = tmp_path_factory.mktemp("runs") / "pupil"
    overrides = [*OVERRIDES, *WITH_PAGE, "run.seed=1"]
    return train(photos, out=out, recipe="table", overrides=overrides, teacher=teacher.folder.root)


@pytest.fixture
def dying(monkeypatch):
    """Trainings end after their first epoch, until this is undone."""

    def die(self, rows, **_):
        raise RuntimeError("the machine burns")

    with monkeypatch.context() as patched:
        patched.setattr(LogLines, "on_epoch_end", die)
        yield patched


def test_targets_are_the_weighted_mean_of_label_and_teacher():
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.0, 1.0, 0.0]])
    labels, rows = torch.tensor([0, 1]), torch.tensor([2, 0])
    blended = TaughtTargets(probabilities, 0.25)(labels, rows)
    assert torch.allclose(blended, torch.tensor([[0.75, 0.25, 0.0], [0.175, 0.8, 0.025]]))


def test_the_loss_is_the_weighted_mean_of_both_cross_entropies():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 4, generator=generator)
    probabilities = torch.randn(9, 4, generator=generator).softmax(dim=1)
    labels, rows = torch.tensor([0, 3, 1, 1, 2]), torch.tensor([8, 0, 3, 3, 5])
    of_labels = functional.cross_entropy(logits, labels)
    of_teacher = functional.kl_div(logits.log_softmax(dim=1), probabilities[rows], reduction="batchmean")
    entropy = -(probabilities[rows] * probabilities[rows].log()).sum(dim=1).mean()
    blended = functional.cross_entropy(logits, TaughtTargets(probabilities, 0.3)(labels, rows))
    assert torch.allclose(blended, 0.7 * of_labels + 0.3 * (of_teacher + entropy))


def test_a_teacher_changes_what_is_learnt(photos, teacher, pupil, tmp_path):
    alone = train(photos, out=tmp_path / "alone", recipe="table", overrides=[*OVERRIDES, "run.seed=1"])
    taught, untaught = (run.predictions.probabilities for run in (pupil, alone))
    assert not np.allclose(taught, untaught)
    # A network that learns nothing but the teacher comes closer to it than one that never heard of it.
    followed = train(
        photos,
        out=tmp_path / "followed",
        recipe="table",
        overrides=[*OVERRIDES, "run.seed=1", "training.phases.*.epochs=8", "training.label_smoothing=0"],
        teacher=teacher.folder.root,
        teacher_weight=1.0,
    )
    far, near = (
        np.abs(run.predictions.probabilities - teacher.predictions.probabilities).mean() for run in (alone, followed)
    )
    assert near < far


def test_the_comparison_is_that_of_both_predictions_on_test(teacher, pupil):
    comparison = load_bundle(pupil.folder.root).record.teacher
    mine, theirs = (run.predictions.select("test").frame.set_index("id") for run in (pupil, teacher))
    theirs = theirs.loc[mine.index]
    right, teacher_right = mine["predicted"] == mine["true"], theirs["predicted"] == theirs["true"]
    assert comparison.count == len(mine) == 12
    assert comparison.accuracy_a.value == pytest.approx(teacher_right.mean())
    assert comparison.accuracy_b.value == pytest.approx(right.mean())
    assert comparison.difference.value == pytest.approx(right.mean() - teacher_right.mean())
    assert "this network over its teacher: " in pupil.folder.log.read_text()
    page = pupil.folder.report.read_text()
    assert "It also learnt from the answers of an earlier classifier, its teacher" in page


def test_classes_are_joined_by_name_whatever_their_order(photos, teacher, tmp_path):
    renamed = tmp_path / "photos"
    shutil.copytree(photos, renamed)
    for split in ("train", "validation", "test"):
        (renamed / split / "red").rename(renamed / split / "Red")  # sorts before the others
    run = train(renamed, out=tmp_path / "run", recipe="table", overrides=OVERRIDES, teacher=teacher.folder.root)
    assert run.predictions.class_names != teacher.predictions.class_names
    record = load_bundle(run.folder.root).record
    assert record.teacher.accuracy_a.value == pytest.approx(teacher.metrics["test"].accuracy.value)


def test_a_resumed_run_equals_an_uninterrupted_one(photos, teacher, pupil, tmp_path, dying):
    overrides = [*OVERRIDES, *WITH_PAGE, "run.seed=1"]
    with pytest.raises(RuntimeError, match="burns"):
        train(photos, out=tmp_path / "run", recipe="table", overrides=overrides, teacher=teacher.folder.root)
    dying.undo()
    run = resume(tmp_path / "run")
    assert np.array_equal(run.predictions.probabilities, pupil.predictions.probabilities)


def test_a_run_is_not_resumed_with_another_teacher(photos, teacher, tmp_path, dying):
    own = tmp_path / "teacher"
    shutil.copytree(teacher.folder.root, own)
    with pytest.raises(RuntimeError, match="burns"):
        train(photos, out=tmp_path / "run", recipe="table", overrides=OVERRIDES, teacher=own)
    dying.undo()
    shutil.rmtree(own)
    train(photos, out=own, recipe="table", overrides=[*OVERRIDES, "run.seed=5"])
    with pytest.raises(RunFolderError, match="is not the one that the run was started with; put that back"):
        resume(tmp_path / "run")


def test_a_teacher_that_knows_the_test_pictures_is_refused(photos, teacher, tmp_path):
    table = pd.read_csv(teacher.folder.split)
    table["path"] = [str(photos / path) for path in table["path"]]
    turned = {"train": "test", "validation": "validation", "test": "train"}
    table.assign(split=table["split"].map(turned)).to_csv(tmp_path / "turned.csv", index=False)
    with pytest.raises(ConfigError, match=r"learnt from 24 of the 24 test pictures.*data\.split_file=.*split\.csv"):
        train(tmp_path / "turned.csv", out=tmp_path / "run", overrides=OVERRIDES, teacher=teacher.folder.root)
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_knows_validation_pictures_is_said(photos, teacher, tmp_path):
    table = pd.read_csv(teacher.folder.split)
    table["path"] = [str(photos / path) for path in table["path"]]
    turned = {"train": "validation", "validation": "train", "test": "test"}
    table.assign(split=table["split"].map(turned)).to_csv(tmp_path / "turned.csv", index=False)
    run = train(
        tmp_path / "turned.csv",
        out=tmp_path / "run",
        recipe="table",
        overrides=OVERRIDES,
        teacher=teacher.folder.root,
    )
    assert "the teacher learnt from 24 of 24 validation pictures" in run.folder.log.read_text()


def test_a_teacher_whose_pictures_are_not_known_is_said(photos, tmp_path):
    settings = [*OVERRIDES, "training.feature_bank=0"]
    taught = train(photos, out=tmp_path / "teacher", recipe="table", overrides=settings)
    alone = shutil.copytree(taught.folder.bundle, tmp_path / "alone")
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=OVERRIDES, teacher=alone)
    assert "so whether test pictures are among them is not known" in run.folder.log.read_text()


def test_a_teacher_of_other_classes_is_refused(teacher, tmp_path):
    draw_photos(tmp_path / "photos" / "train", per_class=4)
    (tmp_path / "photos" / "train" / "red").rename(tmp_path / "photos" / "train" / "purple")
    with pytest.raises(ConfigError, match="does not know 1 class of the pictures: purple; it knows blue, green, red"):
        train(tmp_path / "photos", out=tmp_path / "run", overrides=OVERRIDES, teacher=teacher.folder.root)


def test_folds_are_refused(photos, teacher, tmp_path):
    with pytest.raises(ConfigError, match=r"training\.teacher cannot be combined with folds"):
        train(photos, out=tmp_path / "run", overrides=OVERRIDES, teacher=teacher.folder.root, folds=2)


def test_an_ensemble_can_teach(photos, tmp_path):
    folds = train(photos, out=tmp_path / "folds", recipe="table", overrides=OVERRIDES, folds=2)
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=OVERRIDES, teacher=folds.folder.root)
    comparison = load_bundle(run.folder.root).record.teacher
    assert comparison.accuracy_a.value == pytest.approx(folds.metrics["test"].accuracy.value)
    assert "the teacher learnt from 9 of 9 validation pictures" in run.folder.log.read_text()


def test_the_command_names_what_is_missing(photos, tmp_path, monkeypatch, capsys):
    arguments = ["discern", "train", str(photos), "--out", str(tmp_path / "run"), "--teacher", str(tmp_path / "none")]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "none") in error
    assert "Traceback" not in error


def test_a_public_bundle_does_not_say_where_the_teacher_is(pupil, teacher):
    plan = load_plan(pupil.folder.plan)
    assert plan.training.teacher.root == teacher.folder.root
    public = make_public(load_bundle(pupil.folder.root))
    assert str(public.record.plan.training.teacher.root) == "teacher"
    assert str(teacher.folder.root) not in json.dumps(public.record.model_dump(mode="json"))


def test_the_bundle_with_a_teacher_loads_alone(pupil, teacher, photos, tmp_path):
    shutil.copytree(pupil.folder.bundle, tmp_path / "bundle")
    answers = load(tmp_path / "bundle").predict(photos / "test", probabilities=True)
    assert len(answers) == 12
