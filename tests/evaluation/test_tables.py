"""The tables of the evaluation folder: against scikit-learn, and through CSV and back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from discern.evaluation.intervals import exact_interval
from discern.evaluation.tables import compute_confusion, compute_per_class

NAMES = ["cat", "dog", "owl", "yak"]
TARGETS = np.array([0, 0, 0, 1, 1, 2, 2, 2])
PREDICTIONS = np.array([0, 0, 1, 1, 0, 2, 2, 0])
PROBABILITIES = np.eye(4)[PREDICTIONS] * 0.6 + 0.1


def test_per_class_scores_agree_with_scikit_learn() -> None:
    table = compute_per_class(TARGETS, PROBABILITIES, NAMES)
    precision, recall, f1, count = oracle.precision_recall_fscore_support(TARGETS, PREDICTIONS, labels=range(3))
    assert list(table) == [
        "class_name", "count", "predicted_count", "precision", "recall", "recall_low", "recall_high", "f1", "f1_low",
        "f1_high",
    ]  # fmt: skip
    assert table["class_name"].tolist() == NAMES
    assert table["count"].tolist() == [*count, 0]
    assert table["predicted_count"].tolist() == [4, 2, 2, 0]
    for name, expected in {"precision": precision, "recall": recall, "f1": f1}.items():
        assert table[name].tolist()[:3] == pytest.approx(list(expected))


def test_recall_of_a_class_carries_its_exact_interval() -> None:
    row = compute_per_class(TARGETS, PROBABILITIES, NAMES).iloc[0]
    assert (row["recall"], row["recall_low"], row["recall_high"]) == exact_interval(2, 3)


def test_f1_of_a_class_carries_an_interval_that_holds_it_and_narrows_with_the_count() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=600)
    predictions = np.where(rng.random(600) < 0.8, targets, rng.integers(3, size=600))
    many, few = (compute_per_class(targets[:n], np.eye(3)[predictions[:n]], NAMES[:3]) for n in (600, 60))
    for table in (many, few):
        assert ((table["f1_low"] < table["f1"]) & (table["f1"] < table["f1_high"])).all()
    assert (many["f1_high"] - many["f1_low"] < few["f1_high"] - few["f1_low"]).all()


def test_the_interval_of_a_classs_f1_contains_what_drawing_pictures_one_by_one_makes_of_it() -> None:
    rng = np.random.default_rng(1)
    targets = np.repeat([0, 1, 2], [40, 60, 80])
    predictions = np.where(rng.random(180) < 0.75, targets, rng.integers(3, size=180))
    f1s = []
    for _ in range(300):
        drawn = rng.integers(180, size=180)
        f1s.append(oracle.f1_score(targets[drawn], predictions[drawn], average=None))
    low, high = np.quantile(f1s, [0.025, 0.975], axis=0)
    table = compute_per_class(targets, np.eye(3)[predictions], NAMES[:3])
    assert table["f1_low"].to_numpy() == pytest.approx(low, abs=0.05)
    assert table["f1_high"].to_numpy() == pytest.approx(high, abs=0.05)


def test_a_class_without_pictures_has_no_scores() -> None:
    row = compute_per_class(TARGETS, PROBABILITIES, NAMES).iloc[3]
    assert row.drop(["class_name", "count", "predicted_count"]).isna().all()


def test_a_class_predicted_but_never_true_scores_zero_f1() -> None:
    row = compute_per_class(np.array([0, 1]), np.eye(3)[[0, 2]], ["a", "b", "c"]).iloc[2]
    assert (row["precision"], row["f1"], row["f1_low"]) == (0, 0, 0)
    assert row["f1_high"] > 0.9  # one picture says little
    assert np.isnan(row["recall"])


def test_per_class_refuses_unlabelled_pictures() -> None:
    with pytest.raises(ValueError, match="leave unlabelled pictures"):
        compute_per_class(np.array([0, -1]), PROBABILITIES[:2], NAMES)


def test_confusion_agrees_with_scikit_learn_and_names_both_sides() -> None:
    table = compute_confusion(TARGETS, PREDICTIONS, NAMES)
    assert np.array_equal(table.to_numpy(), oracle.confusion_matrix(TARGETS, PREDICTIONS, labels=range(4)))
    assert table.index.tolist() == table.columns.tolist() == NAMES
    assert (table.index.name, table.columns.name) == ("true", "predicted")
    assert table.loc["owl", "cat"] == 1
    assert all(dtype.kind == "i" for dtype in table.dtypes)


def test_confusion_of_a_hundred_classes_counts_every_picture() -> None:
    rng = np.random.default_rng(0)
    targets, predictions = rng.integers(100, size=(2, 5000))
    table = compute_confusion(targets, predictions, [str(index) for index in range(100)])
    assert np.array_equal(table.to_numpy(), oracle.confusion_matrix(targets, predictions))


def test_confusion_survives_csv(tmp_path: Path) -> None:
    table = compute_confusion(TARGETS, PREDICTIONS, NAMES)
    table.to_csv(tmp_path / "confusion.csv")
    read = pd.read_csv(tmp_path / "confusion.csv", index_col="true")
    assert np.array_equal(read.to_numpy(), table.to_numpy())
    assert (read.index.tolist(), read.columns.tolist()) == (NAMES, NAMES)
