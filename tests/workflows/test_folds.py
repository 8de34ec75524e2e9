"""Training in folds: each picture answered by the member that had not seen it, and one ensemble to use."""

import logging
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file

import discern
from discern.cli.app import main
from discern.config.load import load_settings
from discern.errors import ConfigError, DataError, ExportError
from discern.evaluation.metrics import compute_losses
from discern.exporting.certificate_file import load_certificate
from discern.predictor.bundle import load_bundle
from discern.predictor.load import build_predictor
from discern.reports.run import Run
from discern.training.listeners import LogLines
from discern.workflows.compare import compare
from discern.workflows.explain import explain
from discern.workflows.export import export
from discern.workflows.folds import share_budget
from discern.workflows.predict import predict
from discern.workflows.resume import resume
from discern.workflows.train import train
from discern.workflows.tune import tune
from pictures import QUICK, WITH_PAGE, draw_photos

OVERRIDES = [*QUICK, "training.phases.*.epochs=2", "learning_rate=2e-3", "run.precision=fp32", "run.determinism=true"]
FOLDS = 2


class Killed(BaseException):
    """Ends a command where a kill would."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes, with eight pictures each to train on and two to test; the first of each class is there twice."""
    folder = tmp_path_factory.mktemp("photos")
    draw_photos(folder / "train", per_class=8)
    draw_photos(folder / "test", per_class=2, first_seed=500)
    for name in ("blue", "green", "red"):
        shutil.copy(folder / "train" / name / "0.png", folder / "train" / name / "copy.png")
    return folder


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Run:
    """A complete run in folds, whose backbones are trained; tests must not change it."""
    out = tmp_path_factory.mktemp("runs") / "folds"
    return train(data, out=out, recipe="table", overrides=[*OVERRIDES, *WITH_PAGE], folds=FOLDS, verbose=False)


def load_members(run: Run):
    return [load_bundle(member.folder.root) for member in run.folds]


def test_every_picture_is_out_of_fold_once_and_was_not_seen_by_its_member(run):
    split = pd.read_csv(run.folder.split)
    pooled = set(split["id"][split["split"] == "train"])
    answered = run.predictions.select("out-of-fold")
    assert len(answered) == len(pooled) == 27
    assert set(answered.ids) == pooled
    folds = pd.read_csv(run.folder.folds).set_index("id")["fold"]
    assert set(folds.index) == pooled
    for number in range(1, FOLDS + 1):
        member = pd.read_csv(run.folder.fold(number).split).set_index("id")["split"]
        assert set(member.index) == pooled
        assert set(member.index[member == "test"]) == set(folds.index[folds == number])
        assert (member == "validation").any()
        tested = Run(run.folder.fold(number).root).predictions.select("test")
        assert set(tested.ids) == set(folds.index[folds == number])


def test_the_seconds_of_all_members_are_in_one_table(run):
    log = run.folder.log.read_text()
    assert log.count("where the time went") == 1
    table = log[log.index("where the time went") :]
    assert all(table.count(f"  {part}  ") == 1 for part in ("training", "validation", "held-out folds", "test"))
    assert not any(
        "where the time went" in member.folder.log.read_text() for member in run.folds if member.folder.log.is_file()
    )


def test_copies_of_a_photo_are_on_one_side_in_every_fold(run):
    for number in range(1, FOLDS + 1):
        member = pd.read_csv(run.folder.fold(number).split).set_index("id")["split"]
        for name in ("blue", "green", "red"):
            assert member[f"train/{name}/0.png"] == member[f"train/{name}/copy.png"]


def test_the_ensemble_answers_with_the_mean_of_its_calibrated_members(run):
    bundle = load_bundle(run.folder.root)
    assert bundle.architecture.members == (0, 1)
    test = run.predictions.select("test")
    by_hand = np.zeros((len(test), 3))
    for member in load_members(run):
        logits, _ = build_predictor(member, device="cpu").predict_features(_table_of(test))
        scales, biases = bundle.calibration.compute_scales(3)
        by_hand += (logits.double().log_softmax(1) * scales + biases).softmax(1).numpy() / FOLDS
    np.testing.assert_allclose(test.probabilities, by_hand, atol=2e-5)


def test_out_of_fold_answers_are_those_of_the_member_that_had_not_seen_the_picture(run):
    answered = run.predictions.select("out-of-fold")
    folds = pd.read_csv(run.folder.folds).set_index("id")["fold"].reindex(answered.ids).to_numpy()
    calibration = load_bundle(run.folder.root).calibration.model_copy(update={"is_inside": False})
    for number, member in enumerate(load_members(run), start=1):
        found = answered.take(np.flatnonzero(folds == number))
        logits, _ = build_predictor(member, device="cpu").predict_features(_table_of(found))
        expected = calibration.apply(logits.double().log_softmax(1)).softmax(1).numpy()
        np.testing.assert_allclose(found.probabilities, expected, atol=2e-5)


def _table_of(predictions):
    from discern.evaluation.predictions import build_picture_table

    return build_picture_table(predictions)


def test_calibration_evidence_and_feature_bank_are_of_all_pictures(run):
    bundle = load_bundle(run.folder.root)
    answered = run.predictions.select("out-of-fold")
    assert bundle.calibration.count == len(answered)
    assert bundle.calibration.split == "out-of-fold"
    np.testing.assert_allclose(bundle.evidence.confidences, answered.confidences, atol=1e-6)
    np.testing.assert_array_equal(bundle.evidence.is_right, answered.is_correct)
    assert bundle.evidence.num_choices == 1
    assert set(bundle.feature_bank.frame["id"]) == set(answered.ids)


def test_the_folds_are_recorded_with_their_scores(run):
    records = load_bundle(run.folder.root).record.folds
    answered = run.predictions.select("out-of-fold")
    folds = pd.read_csv(run.folder.folds).set_index("id")["fold"].reindex(answered.ids).to_numpy()
    losses = compute_losses(answered.targets, answered.probabilities)
    for number, record in enumerate(records, start=1):
        assert record.held_out == (folds == number).sum()
        assert record.train + record.validation + record.held_out == len(answered)
        assert record.accuracy.value == pytest.approx(answered.is_correct[folds == number].mean())
        assert record.loss.value == pytest.approx(losses[folds == number].mean(), abs=1e-4)
        assert record.best_epoch > 0
    table = pd.read_csv(run.folder.evaluation / "folds.csv")
    assert table["held_out"].tolist() == [record.held_out for record in records]


def test_each_network_has_a_run_with_its_history(run):
    assert [len(member.history) for member in run.folds] == [2, 2]
    with pytest.raises(ConfigError, match=r"each has a history of its own: run\.folds\[0\]\.history"):
        run.plot("curves")
    assert run.folds[0].folds == ()


def test_the_page_shows_the_folds_and_the_members_write_none(run):
    page = run.folder.report.read_text(encoding="utf-8")
    assert "2 networks were trained, each without the pictures of another fold" in page
    assert "In 2 folds, the accuracy of one member is" in page
    assert "An ensemble of 2, each resnet18-half with a linear head" in page
    assert (run.folder.plots / "confusion.png").is_file()
    for number in range(1, FOLDS + 1):
        member = run.folder.fold(number)
        assert member.is_complete()
        assert not member.report.exists()
        assert not member.plots.exists()


@pytest.fixture(scope="module")
def frozen(photos, tmp_path_factory):
    """A run without a test split whose backbone stays frozen, and its messages of features that were computed."""
    folder = tmp_path_factory.mktemp("frozen")
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("discern")
    logger.addHandler(handler)
    overrides = [*OVERRIDES, "run.report=true", f"cache.folder={folder / 'cache'}"]
    run = train(photos, out=folder / "run", recipe="transfer", overrides=overrides, folds=FOLDS, verbose=False)
    logger.removeHandler(handler)
    return run, [message for message in messages if "computed in" in message]


def test_without_a_test_split_the_out_of_fold_answers_are_reported(frozen):
    run, _ = frozen
    assert list(run.metrics) == ["out-of-fold"]
    assert run.metrics["out-of-fold"].count == 36
    page = run.folder.report.read_text(encoding="utf-8")
    assert "36 out-of-fold pictures each answered by the member of the ensemble that had not seen it" in page
    assert "There is no test split" not in page


def test_a_frozen_backbone_is_computed_once_for_all_folds_and_shared(frozen):
    run, computed = frozen
    assert load_bundle(run.folder.root).architecture.members == (0, 0)
    # The views that are trained on, the pictures decoded whole for validation, and those of the feature bank.
    assert 2 <= len(computed) <= 3
    assert all(message.startswith("features of 36 pictures") for message in computed)


def test_a_run_that_was_killed_goes_on_with_the_same_result(run, data, tmp_path, monkeypatch):
    out = tmp_path / "run"
    epochs = []

    def die(_self, rows, *, is_best):
        epochs.append(len(rows))
        if len(epochs) == 4:  # the second of the second fold; the state of the first is saved
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(LogLines, "on_epoch_end", die)
        with pytest.raises(Killed):
            train(data, out=out, recipe="table", overrides=[*OVERRIDES, *WITH_PAGE], folds=FOLDS, verbose=False)
    first = Run(out).folder.fold(1)
    assert first.is_complete()
    assert not Run(out).folder.is_complete()
    written = (first.bundle / "model.safetensors").stat().st_mtime_ns
    resumed = resume(out, verbose=False)
    assert (first.bundle / "model.safetensors").stat().st_mtime_ns == written
    expected = load_file(run.folder.bundle / "model.safetensors")
    found = load_file(resumed.folder.bundle / "model.safetensors")
    assert all((found[name] == tensor).all() for name, tensor in expected.items())
    pd.testing.assert_frame_equal(resumed.predictions.frame, run.predictions.frame)


def test_the_run_predicts_explains_and_evaluates(run, data, tmp_path):
    answers = discern.load(run.folder.root, device="cpu").predict(data / "test", max_error=0.9)
    assert len(answers) == 6
    assert answers["familiarity"].notna().all()
    predict(run.folder.root, [data / "test"], out=tmp_path / "answers.csv", verbose=False)
    assert len(pd.read_csv(tmp_path / "answers.csv")) == 6
    explain(run.folder.root, [data / "test" / "red" / "0.png"], out=tmp_path / "maps", verbose=False)
    assert list((tmp_path / "maps").glob("*.png"))
    assert run.evaluate(data, split="test").accuracy.value == run.metrics["test"].accuracy.value


def test_its_file_is_certified_and_no_other_library_has_it(run, tmp_path, monkeypatch):
    monkeypatch.setattr("discern.exporting.measurement.REPEATS", 1)
    file = export(run.folder.root, out=tmp_path / "colours.onnx", verbose=False)
    same = load_certificate(file).same_pixels
    assert same.label_agreement == 1
    assert same.largest_probability_difference < 1e-5
    with pytest.raises(ExportError, match="have no ensembles, and this is one of 2; export it to onnx"):
        export(run.folder.root, export_format="pth", out=tmp_path / "colours.pth", verbose=False)


def test_the_members_share_the_time_budget():
    asked = load_settings("auto", ["run.budget=100s", "run.folds=5"])
    share, started = share_budget(asked, started=0.0)
    assert started > 0
    assert float(share.run.budget.removesuffix("s")) <= 19.0
    alone = load_settings("auto", ["run.budget=100s"])
    assert share_budget(alone, started=3.0) == (alone, 3.0)


def test_folds_that_cannot_be_made_are_refused_with_what_to_do(photos, tmp_path, monkeypatch, capsys):
    with pytest.raises(ConfigError, match=r"run\.folds: 1 fold leaves nothing to train on; give 2 or more, usually 5"):
        train(photos, out=tmp_path / "run", folds=1)
    with pytest.raises(DataError, match=r"classes that cannot be in each of 13 folds:\n  'blue': 12 pictures"):
        train(photos, out=tmp_path / "run", overrides=QUICK, folds=13)
    with pytest.raises(ConfigError, match="trains nothing, so that all folds would give the same; leave folds out"):
        train(photos, out=tmp_path / "run", recipe="as-is", overrides=["model.weights=none"], folds=2)
    with pytest.raises(
        ConfigError, match=r"training\.tta=flip cannot be combined with folds; leave it out, and let predict"
    ):
        train(photos, out=tmp_path / "run", overrides=[*QUICK, "training.tta=flip"], folds=2)
    with pytest.raises(ConfigError, match=r"search without run\.folds"):
        tune(photos, out=tmp_path / "search", overrides=["run.folds=3"])
    with pytest.raises(ConfigError, match="trains in folds; ways of training are chosen on a validation split"):
        compare(photos, out=tmp_path / "comparison", recipes=("table", "auto"), overrides=["run.folds=3"])
    second = tmp_path / "second.toml"
    second.write_text('extends = "table"\n[run]\nfolds = 3\n')
    with pytest.raises(ConfigError, match=r"second\.toml trains in folds"):
        compare(photos, out=tmp_path / "comparison", recipes=("table", str(second)))
    assert not (tmp_path / "run").exists()
    monkeypatch.setattr("sys.argv", ["discern", "train", str(photos), "--folds", "1", "--out", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "1 fold leaves nothing to train on" in capsys.readouterr().err
