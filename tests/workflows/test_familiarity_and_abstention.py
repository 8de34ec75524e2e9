import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from discern.errors import BundleError
from discern.predictor.bundle import load_bundle
from discern.predictor.load import load
from discern.workflows.evaluate import evaluate, evaluate_predictions
from discern.workflows.train import train
from pictures import QUICK, draw_photos


def test_features_kept_from_training_equal_those_computed_again(photos, tmp_path):
    """What is frozen is not computed again for the feature bank, which makes no difference."""
    overrides = [*QUICK, "training.phases.*.epochs=3", "run.precision=fp32"]
    kept = train(photos, out=tmp_path / "kept", recipe="transfer", overrides=overrides)
    again = train(photos, out=tmp_path / "again", recipe="transfer", overrides=[*overrides, "cache.features=off"])
    of_kept, of_again = (load_bundle(run.folder.root) for run in (kept, again))
    assert of_kept.feature_bank.frame.equals(of_again.feature_bank.frame)
    assert of_kept.feature_bank.features.astype(float) == pytest.approx(
        of_again.feature_bank.features.astype(float), abs=2e-3
    )
    assert of_kept.evidence.similarities == pytest.approx(of_again.evidence.similarities, abs=5e-3)


def test_a_feature_bank_keeps_as_many_pictures_as_the_setting_says(photos, tmp_path):
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, "training.feature_bank=9"])
    bank = load_bundle(run.folder.root).feature_bank
    assert list(bank.frame["label"].value_counts()) == [3, 3, 3]


def test_unfamiliar_pictures_are_recognised(trained_run, photos, tmp_path):
    rng = np.random.default_rng(0)
    stripes = np.zeros((20, 40, 40, 3), dtype=np.uint8)
    stripes[:, ::3] = rng.integers(200, 255, (20, 14, 40, 3))
    evaluate(trained_run, photos, out=tmp_path / "out", unfamiliar=stripes)
    found = json.loads((tmp_path / "out" / "familiarity.json").read_text())
    assert found["auroc"]["low"] <= found["auroc"]["value"] <= found["auroc"]["high"]
    assert found["auroc"]["value"] > 0.9
    assert (found["count_usual"], found["count_other"]) == (36, 20)
    assert (tmp_path / "out" / "plots" / "familiarity.png").is_file()
    marks = ["familiarity", "unfamiliar"]
    predicted = load(trained_run).predict(photos).set_index("path")[marks]
    for evaluation in (tmp_path / "out", trained_run / "evaluation"):
        kept = pd.read_csv(evaluation / "predictions.csv").set_index("path")
        kept = kept[kept["split"] != "validation"]
        assert np.allclose(kept["familiarity"], predicted.loc[kept.index, "familiarity"])
        assert (kept["unfamiliar"] == predicted.loc[kept.index, "unfamiliar"]).all()


def test_without_a_feature_bank_nothing_is_unfamiliar(photos, tmp_path):
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=[*QUICK, "training.feature_bank=0"])
    with pytest.raises(BundleError, match=r"training\.feature_bank above 0"):
        evaluate(run.folder.root, photos, out=tmp_path / "out", unfamiliar=str(photos))
    assert "familiarity" not in pd.read_csv(run.folder.evaluation / "predictions.csv")


def test_thresholds_of_validation_are_tried_on_every_split(trained_run, photos, tmp_path):
    evaluate(trained_run, photos, out=tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "abstention.json").read_text())
    assert list(summary) == ["0.01", "0.02", "0.05", "0.1"]
    assert all(outcome is None for outcome in summary.values())  # six validation pictures promise nothing
    in_bundle = json.loads((trained_run / "bundle" / "bundle.json").read_text())["record"]["abstention"]
    assert in_bundle == summary


def test_the_outcome_of_a_threshold_is_what_counting_gives(tmp_path):
    photos = draw_photos(tmp_path / "many", per_class=60, first_seed=100)
    overrides = [*QUICK, "training.phases.*.epochs=8", "learning_rate=2e-3", "data.split=[0.4, 0.4, 0.2]"]
    run = train(photos, out=tmp_path / "run", recipe="table", overrides=overrides)
    summary = load_bundle(run.folder.root).record.abstention
    outcome = summary[0.1]
    rows = pd.read_csv(run.folder.evaluation / "predictions.csv").query("split == 'test'")
    # The table has six digits.
    answered = rows["confidence"] >= outcome.threshold - 1e-6
    assert outcome.outcomes["test"].count == answered.sum() > 0
    assert outcome.outcomes["test"].coverage == pytest.approx(answered.mean())
    wrong = (rows["true"] != rows["predicted"])[answered].mean()
    assert outcome.outcomes["test"].error.value == pytest.approx(wrong)


def test_each_class_is_ranked_against_the_others_on_request(trained_run, tmp_path):
    predictions = trained_run / "evaluation" / "predictions.csv"
    evaluate_predictions(predictions, out=tmp_path / "out", ranking=True)
    ranking = pd.read_csv(tmp_path / "out" / "ranking.csv").set_index("class_name")
    rows = pd.read_csv(predictions).query("split == 'test'")
    assert list(ranking.index) == ["blue", "green", "red"]
    for name, row in ranking.iterrows():
        is_class, probabilities = rows["true"] == name, rows[f"probability_{name}"]
        assert row["roc_auc"] == pytest.approx(roc_auc_score(is_class, probabilities))
        assert row["average_precision"] == pytest.approx(average_precision_score(is_class, probabilities))
        assert row["roc_auc_low"] <= row["roc_auc"] <= row["roc_auc_high"]
    evaluate_predictions(predictions, out=tmp_path / "without")
    assert not (tmp_path / "without" / "ranking.csv").exists()
