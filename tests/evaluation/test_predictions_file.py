"""Reading a predictions.csv back: what is accepted, and what is refused with the rows."""

from pathlib import Path

import numpy as np
import pytest

from discern.errors import DataError
from discern.evaluation.predictions_file import UNSPLIT, SavedAnswers, load_answers, load_probabilities
from discern.evaluation.tables import build_predictions

HEADER = "id,path,split,true,predicted,confidence,probability_ant,probability_bee"


def load(folder: Path, *rows: str, header: str = HEADER) -> SavedAnswers:
    (folder / "p.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return load_answers(folder / "p.csv")


def test_what_was_written_is_read_back_to_six_digits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = ["NA", "007", "a, b", "é"]
    probabilities = rng.dirichlet(np.full(4, 0.1), size=50)
    targets = rng.integers(4, size=50)
    table = build_predictions([f"{i:03}" for i in range(50)], ["x/y.jpg"] * 50, targets, probabilities, names)
    table.to_csv(tmp_path / "p.csv", index=False, float_format="%.6g")
    answers = load_answers(tmp_path / "p.csv")
    assert answers.class_names == tuple(names)
    assert answers.frame["id"].tolist() == table["id"].tolist()
    assert answers.frame["true"].tolist() == [names[target] for target in targets]
    assert answers.frame["predicted"].tolist() == table["predicted"].tolist()
    assert set(answers.frame["split"]) == {UNSPLIT}
    read = load_probabilities(tmp_path / "p.csv", answers)
    assert read == pytest.approx(probabilities, rel=1e-5)
    assert np.array_equal(read.argmax(axis=1), probabilities.argmax(axis=1))


def test_split_and_path_may_be_missing(tmp_path: Path) -> None:
    answers = load(tmp_path, "1,ant,ant,0.9", header="id,true,predicted,confidence")
    assert answers.frame.iloc[0].tolist() == ["1", "", UNSPLIT, "ant", "ant", 0.9]
    assert answers.class_names == ()


def test_splits_come_in_their_order_and_are_selected(tmp_path: Path) -> None:
    rows = [f"{place},,{split},ant,ant,1,1,0" for place, split in enumerate(["test", "mine", "validation", "test"])]
    answers = load(tmp_path, *rows)
    assert answers.list_splits() == ["validation", "test", "mine"]
    assert answers.select("test").frame["id"].tolist() == ["0", "3"]


def test_a_tie_made_by_rounding_goes_to_the_class_that_was_predicted(tmp_path: Path) -> None:
    answers = load(tmp_path, "1,,,ant,bee,0.5,0.5,0.5", "2,,,ant,ant,0.5,0.5,0.5")
    probabilities = load_probabilities(tmp_path / "p.csv", answers)
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
        ([], r"no rows\. Expected one row a picture"),
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
    answers = load(tmp_path, row)
    with pytest.raises(DataError, match=message):
        load_probabilities(tmp_path / "p.csv", answers)


def test_probabilities_need_two_classes(tmp_path: Path) -> None:
    answers = load(tmp_path, "1,ant,ant,1,1", header="id,true,predicted,confidence,probability_ant")
    with pytest.raises(DataError, match="1 columns probability_CLASS; expected one for each class, two at least"):
        load_probabilities(tmp_path / "p.csv", answers)


def test_another_csv_is_told_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"p\.csv: no column true, predicted; it has id, path, label, confidence\. E"):
        load(tmp_path, "1,x,ant,1", header="id,path,label,confidence")


def test_a_file_that_is_not_there_or_no_csv_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: not readable as a CSV of predictions"):
        load_answers(tmp_path / "none.csv")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xff")
    with pytest.raises(DataError, match=r"picture\.csv: not readable as a CSV of predictions"):
        load_answers(tmp_path / "picture.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(DataError, match=r"empty\.csv: not readable as a CSV of predictions"):
        load_answers(tmp_path / "empty.csv")
