"""Two runs against each other: what is written, which pictures count, and what is logged."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from discern.errors import DataError
from discern.evaluation.predictions import find_predictions
from discern.workflows.diff import diff
from discern.workflows.evaluate import evaluate

COLUMNS = ["id", "path", "true", "predicted_a", "confidence_a", "predicted_b", "confidence_b"]


def write_predictions(path: Path, answers: dict[str, tuple[str, str, str]], *, classes=("ant", "bee")) -> Path:
    """Write for each id its split, true and predicted class."""
    rows = [(name, "", *answer, 0.9) for name, answer in answers.items()]
    table = pd.DataFrame(rows, columns=["id", "path", "split", "true", "predicted", "confidence"])
    for name in classes:
        table[f"probability_{name}"] = np.where(table["predicted"] == name, 0.9, 0.1)
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)
    return path


@pytest.fixture
def spoiled_run(trained_run, tmp_path):
    """A run folder with the answers of `trained_run`, but wrong on two test pictures."""
    table = pd.read_csv(trained_run / "evaluation" / "predictions.csv", dtype={"id": "str"})
    right = table.index[(table["split"] == "test") & (table["true"] == table["predicted"])][:2]
    table.loc[right, "predicted"] = [{"blue": "red"}.get(name, "blue") for name in table.loc[right, "true"]]
    (tmp_path / "spoiled" / "evaluation").mkdir(parents=True)
    table.to_csv(tmp_path / "spoiled" / "evaluation" / "predictions.csv", index=False)
    return tmp_path / "spoiled"


def test_a_run_against_a_worse_one(trained_run, spoiled_run, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="discern"):
        comparison = diff(trained_run, spoiled_run, out=tmp_path / "out")
    assert comparison.count == 6
    assert (comparison.only_a_right, comparison.only_b_right) == (2, 0)
    assert comparison.difference.value == pytest.approx(-2 / 6)
    metrics = json.loads((trained_run / "evaluation" / "metrics.json").read_text())
    assert comparison.accuracy_a.to_dict() == metrics["test"]["accuracy"]
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert written == comparison.model_dump(mode="json")
    rows = pd.read_csv(tmp_path / "out" / "disagreements.csv")
    assert list(rows) == COLUMNS
    assert (rows["predicted_a"] == rows["true"]).all()
    assert len(rows) == 2
    with Image.open(tmp_path / "out" / "disagreements.png") as image:
        assert min(image.size) > 200
    assert "6 pictures of the split test that both have answered; they disagree on 2" in caplog.text
    assert "not distinguishable: B differs from A by -33.3 points" in caplog.text


def test_a_run_against_itself_is_the_same_on_every_picture(trained_run, tmp_path, caplog):
    comparison = diff(trained_run, trained_run, out=tmp_path / "out", split="val")
    assert "compared on validation pictures, by which models are chosen" in caplog.text
    assert comparison.count == 6
    assert comparison.verdict == "not distinguishable: A and B are right and wrong on the same pictures"
    assert pd.read_csv(tmp_path / "out" / "disagreements.csv").empty
    assert (tmp_path / "out" / "disagreements.png").is_file()


def test_evaluations_on_other_pictures_can_be_compared(trained_run, photos, tmp_path):
    for name in ("one", "two"):
        evaluate(trained_run, photos, out=tmp_path / name)
    assert diff(tmp_path / "one", tmp_path / "two" / "predictions.csv", out=tmp_path / "out").count == 36


def test_classes_are_joined_by_name_and_those_of_one_run_are_reported(tmp_path, caplog):
    a = write_predictions(tmp_path / "a.csv", {"1": ("test", "ant", "ant"), "2": ("test", "bee", "ant")})
    b = write_predictions(
        tmp_path / "b.csv", {"2": ("test", "bee", "bee"), "1": ("test", "ant", "ant")}, classes=("cow", "bee", "ant")
    )
    with caplog.at_level(logging.INFO, logger="discern"):
        comparison = diff(a, b, out=tmp_path / "out")
    assert (comparison.accuracy_a.value, comparison.accuracy_b.value) == (0.5, 1)
    assert "classes that only B knows, so that the other is wrong on them: cow" in caplog.text


def test_pictures_of_one_run_only_are_left_out_and_counted(tmp_path, caplog):
    answer = ("test", "ant", "ant")
    of_a = {"1": answer, "2": answer, "3": answer, "4": ("validation", "ant", "bee")}
    a = write_predictions(tmp_path / "a.csv", of_a)
    b = write_predictions(tmp_path / "b.csv", {"3": answer, "5": answer, "4": answer})
    with caplog.at_level(logging.INFO, logger="discern"):
        assert diff(a, b, out=tmp_path / "out").count == 1
    assert "1 picture of the split test that both have answered; left out: 2 that only A has, 2 that" in caplog.text


@pytest.mark.parametrize(
    ("splits_a", "splits_b", "wanted", "count"),
    [
        (("validation", "test"), ("validation", "test"), None, 1),
        (("validation", "validation"), ("validation", "test"), None, 1),
        (("", ""), ("validation", "test"), None, 1),
        (("", ""), ("", ""), None, 2),
        (("all", "all"), ("", ""), None, 2),
        (("train", "train"), ("train", "train"), None, 2),
        (("validation", "test"), ("validation", "test"), "val", 1),
        (("mine", "test"), ("mine", "test"), "mine", 1),
    ],
)
def test_the_split_is_one_that_both_have(tmp_path, splits_a, splits_b, wanted, count):
    a, b = (
        write_predictions(tmp_path / f"{name}.csv", {str(i): (split, "ant", "ant") for i, split in enumerate(splits)})
        for name, splits in (("a", splits_a), ("b", splits_b))
    )
    assert diff(a, b, out=tmp_path / "out", split=wanted).count == count


def test_no_common_split_is_reported(tmp_path):
    a = write_predictions(tmp_path / "a.csv", {"1": ("validation", "ant", "ant")})
    b = write_predictions(tmp_path / "b.csv", {"1": ("test", "ant", "ant")})
    with pytest.raises(DataError, match=r"no split is in both: .*a\.csv has validation; .*b\.csv has test"):
        diff(a, b, out=tmp_path / "out")
    with pytest.raises(DataError, match="the split 'test' is not in both"):
        diff(a, b, out=tmp_path / "out", split="test")
    assert not (tmp_path / "out").exists()


def test_a_place_without_predictions_is_told_what_was_looked_for(tmp_path):
    with pytest.raises(DataError, match=r"has no predictions; looked for .*evaluation/predictions\.csv and "):
        find_predictions(tmp_path)
    with pytest.raises(DataError, match=r"none\.csv has no predictions"):
        find_predictions(tmp_path / "none.csv")


def test_disagreements_whose_pictures_are_gone_are_a_table_only(tmp_path, caplog):
    a = write_predictions(tmp_path / "a.csv", {"1": ("test", "ant", "ant"), "2": ("test", "bee", "bee")})
    b = write_predictions(tmp_path / "b.csv", {"1": ("test", "ant", "bee"), "2": ("test", "bee", "bee")})
    with caplog.at_level(logging.INFO, logger="discern"):
        diff(a, b, out=tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "disagreements.csv")) == 1
    assert not (tmp_path / "out" / "disagreements.png").exists()
    assert "1 picture cannot be shown in disagreements.png" in caplog.text
    assert "give their folder with data=..." in caplog.text


def test_disagreements_are_drawn_from_the_folder_that_the_pictures_were_moved_to(tmp_path):
    files = [tmp_path / "old" / "ant" / "1.png", tmp_path / "old" / "bee" / "2.png"]
    for name, first, second in (("a", "ant", "bee"), ("b", "bee", "bee")):
        answers = {"1": ("test", "ant", first), "2": ("test", "bee", second)}
        table = pd.read_csv(write_predictions(tmp_path / f"{name}.csv", answers)).assign(path=files)
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "new" / "ant").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "new" / "ant" / "1.png")
    diff(tmp_path / "a.csv", tmp_path / "b.csv", out=tmp_path / "out", data=tmp_path / "new")
    assert (tmp_path / "out" / "disagreements.png").is_file()
    rows = pd.read_csv(tmp_path / "out" / "disagreements.csv")
    assert rows["path"].tolist() == [str(tmp_path / "new" / "ant" / "1.png")]
    with pytest.raises(DataError, match="Give the folder with data="):
        diff(tmp_path / "a.csv", tmp_path / "b.csv", out=tmp_path / "out", data=tmp_path)


def test_places_may_be_text_and_progress_may_be_silent(tmp_path, capsys):
    for name in ("a", "b"):
        write_predictions(tmp_path / f"{name}.csv", {"1": ("test", "ant", "ant"), "2": ("test", "bee", "bee")})
    places = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    diff(*places, out=str(tmp_path / "out"), plots=False, verbose=False)
    assert capsys.readouterr().out == ""
    assert (tmp_path / "out" / "comparison.json").is_file()
    assert not (tmp_path / "out" / "disagreements.png").exists()
    diff(*places, out=str(tmp_path / "out"))
    assert "not distinguishable: A and B are right and wrong on the same pictures" in capsys.readouterr().out
    assert (tmp_path / "out" / "disagreements.png").is_file()
