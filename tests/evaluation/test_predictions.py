"""Predictions: what they know of themselves, and their CSV: what is accepted, and what is refused with the rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from discern.errors import DataError
from discern.evaluation.metrics import compute_metrics
from discern.evaluation.predictions import (
    UNSPLIT,
    Predictions,
    build_predictions,
    join_predictions,
    load_predictions,
    save_predictions,
    tabulate_predictions,
)

NAMES = ["cat", "dog", "owl", "yak"]
PROBABILITIES = np.eye(4)[[0, 0, 1, 1]] * 0.6 + 0.1
HEADER = "id,path,split,true,predicted,confidence,probability_ant,probability_bee"


def load(folder: Path, *rows: str, header: str = HEADER, with_probabilities: bool = False) -> Predictions:
    (folder / "p.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return load_predictions(folder / "p.csv", with_probabilities=with_probabilities)


def test_what_was_written_is_read_back_to_six_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["NA", "007", "a, b", "é"]
    probabilities = rng.dirichlet(np.full(4, 0.1), size=50)
    targets = rng.integers(4, size=50)
    made = build_predictions([f"{i:03}" for i in range(50)], ["x/y.jpg"] * 50, targets, probabilities, names)
    save_predictions(made, tmp_path / "p.csv")
    answers = load_predictions(tmp_path / "p.csv")
    assert answers.class_names == tuple(names)
    assert answers.frame["id"].tolist() == made.frame["id"].tolist()
    assert answers.frame["true"].tolist() == [names[target] for target in targets]
    assert answers.frame["predicted"].tolist() == made.frame["predicted"].tolist()
    assert set(answers.frame["split"]) == {UNSPLIT}
    assert np.array_equal(answers.targets, targets)
    assert np.array_equal(answers.predictions, probabilities.argmax(axis=1))
    read = answers.probabilities
    assert read == pytest.approx(probabilities, rel=1e-5)
    assert np.array_equal(read.argmax(axis=1), probabilities.argmax(axis=1))


def test_split_and_path_may_be_missing(tmp_path: Path) -> None:
    answers = load(tmp_path, "1,ant,ant,0.9", header="id,true,predicted,confidence")
    assert answers.frame.iloc[0].tolist() == ["1", "", UNSPLIT, "ant", "ant", 0.9]
    assert answers.class_names == ()
    assert answers.probabilities.shape == (1, 0)


def test_splits_come_in_their_order_and_are_selected(tmp_path: Path) -> None:
    rows = [f"{place},,{split},ant,ant,1,1,0" for place, split in enumerate(["test", "mine", "validation", "test"])]
    answers = load(tmp_path, *rows)
    assert answers.splits == ("validation", "test", "mine")
    assert answers.select("test").frame["id"].tolist() == ["0", "3"]


def test_a_tie_made_by_rounding_goes_to_the_class_that_was_predicted(tmp_path: Path) -> None:
    answers = load(tmp_path, "1,,,ant,bee,0.5,0.5,0.5", "2,,,ant,ant,0.5,0.5,0.5", with_probabilities=True)
    probabilities = answers.probabilities
    assert probabilities.argmax(axis=1).tolist() == [1, 0]
    assert probabilities == pytest.approx(np.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["1,,,ant,ant,1,1,0", "2,,,,ant,1,1,0", "3,,,,bee,1,0,1"], r"a true class:\n  row 2: '2'\n  row 3: '3'"),
        (["1,,,ant,ant,x,1,0"], r"without an id, a predicted class or a confidence in 0\.\.1:\n  row 1: '1'"),
        (["1,,,ant,ant,,1,0"], "confidence in 0..1"),
        (["1,,,ant,ant,93,1,0"], "confidence in 0..1"),
        ([",,,ant,ant,1,1,0"], "without an id"),
        (["1,,,ant,,1,1,0"], "a predicted class"),
        (["1,,,ant,ant,1,1,0", "1,,,bee,bee,1,0,1"], "same id occurs more than once"),
        ([], r"no rows\. Expected one row per picture"),
    ],
)
def test_rows_that_cannot_be_used_are_listed(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(tmp_path, *rows)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,,,ant,ant,0.9,0.9,", r"not numbers in 0\.\.1 that add up to 1:\n  row 1: '1'"),
        ("1,,,ant,ant,0.9,0.9,nan", "not numbers"),
        ("1,,,ant,ant,0.9,0.9,many", "not numbers"),
        ("1,,,ant,ant,0.9,0.9,0.4", "add up to 1"),
        ("1,,,ant,ant,0.9,1.2,-0.2", "add up to 1"),
        ("1,,,ant,bee,0.9,0.9,0.1", r"predicted class is not the most probable one:\n  row 1: '1'"),
        ("1,,,ant,cow,0.9,0.9,0.1", "predicted class is not the most probable"),
    ],
)
def test_probabilities_that_make_no_sense_are_listed(tmp_path: Path, row: str, message: str) -> None:
    load(tmp_path, row)
    with pytest.raises(DataError, match=message):
        load(tmp_path, row, with_probabilities=True)


def test_probabilities_need_two_classes(tmp_path: Path) -> None:
    header = "id,true,predicted,confidence,probability_ant"
    load(tmp_path, "1,ant,ant,1,1", header=header)
    with pytest.raises(DataError, match="1 columns probability_CLASS; expected one for each class, two at least"):
        load(tmp_path, "1,ant,ant,1,1", header=header, with_probabilities=True)


def test_another_csv_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"p\.csv: no column true, predicted; it has id, path, label, confidence\. E"):
        load(tmp_path, "1,x,ant,1", header="id,path,label,confidence")


def test_a_file_that_is_not_there_or_no_csv_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: not readable as a CSV of predictions"):
        load_predictions(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xff")
    with pytest.raises(DataError, match=r"picture\.csv: not readable as a CSV of predictions"):
        load_predictions(tmp_path / "picture.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"empty\.csv: not readable as a CSV of predictions"):
        load_predictions(tmp_path / "empty.csv")


def tabulate(ids: list[str], paths: list[str], targets: list[int], probabilities, names: list[str]) -> pd.DataFrame:
    return tabulate_predictions(build_predictions(ids, paths, np.array(targets, dtype=np.int64), probabilities, names))


def test_predictions_name_what_was_seen_in_the_order_given() -> None:
    table = tabulate(["b", "a"], ["x/b.jpg", "x/a.jpg"], [1, 0], PROBABILITIES[:2], NAMES)
    expected = ["id", "path", "split", "true", "predicted", "confidence", *(f"probability_{name}" for name in NAMES)]
    assert list(table) == expected
    assert table["id"].tolist() == ["b", "a"]
    assert table["path"].tolist() == ["x/b.jpg", "x/a.jpg"]
    assert table["split"].tolist() == [UNSPLIT, UNSPLIT]
    assert table["true"].tolist() == ["dog", "cat"]
    assert table["predicted"].tolist() == ["cat", "cat"]
    assert table["confidence"].tolist() == pytest.approx([0.7, 0.7])
    assert np.array_equal(table[expected[6:]].to_numpy(), PROBABILITIES[:2])


def test_unknown_truth_is_empty() -> None:
    table = tabulate(["a", "b"], ["a", "b"], [-1, 3], PROBABILITIES[:2], NAMES)
    assert table["true"].tolist() == ["", "yak"]


def test_classes_named_like_columns_do_not_collide() -> None:
    names = ["id", "path", "true", "confidence"]
    table = tabulate(["a"], ["a.jpg"], [2], PROBABILITIES[:1], names)
    assert table.columns.is_unique
    assert table["true"].tolist() == ["true"]
    assert table["probability_id"].tolist() == pytest.approx([0.7])


def test_many_classes_make_no_fragmented_table() -> None:
    probabilities = np.full((3, 500), 1 / 500)
    names = [f"class {index}" for index in range(500)]
    assert tabulate(["a"] * 3, ["a"] * 3, [0, 0, 0], probabilities, names).shape == (3, 506)


def test_predictions_of_nothing_are_an_empty_table() -> None:
    assert tabulate([], [], [], np.zeros((0, 4)), NAMES).shape == (0, 10)


def test_rows_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="length"):
        tabulate(["a"], ["a", "b"], [0, 1], PROBABILITIES[:2], NAMES)


def test_predictions_know_what_is_right_and_how_sure_it_was() -> None:
    found = build_predictions(["a", "b", "c"], [""] * 3, np.array([0, -1, 2]), PROBABILITIES[[0, 1, 2]], NAMES)
    assert found.targets.tolist() == [0, -1, 2]
    assert found.predictions.tolist() == [0, 0, 1]
    assert found.is_correct.tolist() == [True, False, False]
    assert found.confidences == pytest.approx([0.7] * 3)
    assert found.find_mistakes().tolist() == [1, 2]


def test_mistakes_come_by_falling_confidence() -> None:
    confidences = np.array([0.6, 0.9, 0.7, 0.8])
    probabilities = np.column_stack([confidences, 1 - confidences])
    found = build_predictions(list("abcd"), [""] * 4, np.array([1, 1, 0, 1]), probabilities, ["ant", "bee"])
    assert found.take(found.find_mistakes()).ids.tolist() == ["b", "d", "a"]


def test_parts_are_joined_and_selected_again() -> None:
    parts = [
        build_predictions([f"{split}1", f"{split}2"], [""] * 2, np.array([0, 1]), PROBABILITIES[:2], NAMES, split=split)
        for split in ("test", "validation")
    ]
    joined = join_predictions(parts)
    assert joined.splits == ("validation", "test")
    for part in parts:
        again = joined.select(part.splits[0])
        assert again.frame.equals(part.frame)
        assert np.array_equal(again.probabilities, part.probabilities)
    other = build_predictions(["a"], [""], np.array([0]), PROBABILITIES[:1, :2], NAMES[:2])
    with pytest.raises(ValueError, match="the same classes"):
        join_predictions([parts[0], other])


def test_a_true_class_that_the_classifier_does_not_know_keeps_its_name(tmp_path: Path) -> None:
    found = load(tmp_path, "1,,,cow,ant,0.9,0.9,0.1", with_probabilities=True)
    assert found.targets.tolist() == [-1]
    assert found.frame["true"].tolist() == ["cow"]
    assert found.is_correct.tolist() == [False]


def test_of_many_classes_the_probable_ones_and_the_true_one_are_written(tmp_path):
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(40, 150))
    whole = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = [f"class {number}" for number in range(150)]
    targets = rng.integers(0, 150, 40)
    ids = [str(number) for number in range(40)]
    save_predictions(build_predictions(ids, ids, targets, whole, names), tmp_path / "predictions.csv")
    cells = pd.read_csv(tmp_path / "predictions.csv").filter(like="probability_")
    assert cells.notna().sum(axis=1).isin((20, 21)).all()
    loaded = load_predictions(tmp_path / "predictions.csv")
    np.testing.assert_allclose(loaded.probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(loaded.probabilities.argmax(axis=1), whole.argmax(axis=1))
    rows = np.arange(40)
    np.testing.assert_allclose(loaded.probabilities[rows, targets], whole[rows, targets], rtol=1e-5)
    (before, after) = (compute_metrics(targets, values, names) for values in (whole, loaded.probabilities))
    assert after.loss.value == pytest.approx(before.loss.value, rel=1e-5)
    assert after.accuracy == before.accuracy
    assert after.top_k == before.top_k
